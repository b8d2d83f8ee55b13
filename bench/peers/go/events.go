package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	orderCreatedTopic = "order_created"
	userOrdersTopic   = "user_orders"
	maxOrders         = 100
)

// events is what the rest of the shop is told over Kafka: JSON values with CloudEvents attributes in the headers.
type events struct {
	producer *kgo.Client
}

type orderCreated struct {
	OrderID   string           `json:"orderId"`
	UserID    string           `json:"userId"`
	Email     *string          `json:"email"`
	Items     []item           `json:"items"`
	Currency  string           `json:"currency"`
	Total     *bson.Decimal128 `json:"total"`
	Status    string           `json:"status"`
	CreatedAt string           `json:"createdAt"`
	Version   int              `json:"version"`
}

type userOrders struct {
	UserID    string           `json:"userId"`
	Email     *string          `json:"email"`
	Orders    []presentedOrder `json:"orders"`
	Total     int              `json:"total"`
	Truncated bool             `json:"truncated"`
	Reason    string           `json:"reason"`
}

func (e events) publishOrderCreated(ctx context.Context, o presentedOrder, email *string) error {
	return e.publish(ctx, orderCreatedTopic, o.OrderID, fmt.Sprintf("%s:%d", o.OrderID, o.Version), orderCreated{
		OrderID:   o.OrderID,
		UserID:    o.UserID,
		Email:     email,
		Items:     o.Items,
		Currency:  o.Currency,
		Total:     o.Total,
		Status:    o.Status,
		CreatedAt: o.CreatedAt,
		Version:   o.Version,
	})
}

func (e events) publishUserOrders(ctx context.Context, userID string, email *string, orders []order, reason string) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	return e.publish(ctx, userOrdersTopic, userID, id.String(), userOrders{
		UserID:    userID,
		Email:     email,
		Orders:    presentAll(orders[:min(len(orders), maxOrders)]),
		Total:     len(orders),
		Truncated: len(orders) > maxOrders,
		Reason:    reason,
	})
}

// publish returns once all replicas have the event.
func (e events) publish(ctx context.Context, topic, key, id string, event any) error {
	value, err := json.Marshal(event)
	if err != nil {
		return err
	}
	record := &kgo.Record{
		Topic: topic,
		Key:   []byte(key),
		Value: value,
		Headers: []kgo.RecordHeader{
			{Key: "ce_specversion", Value: []byte("1.0")},
			{Key: "ce_id", Value: []byte(id)},
			{Key: "ce_type", Value: []byte(topic)},
			{Key: "ce_source", Value: []byte("/order-service")},
			{Key: "ce_time", Value: []byte(timestamp(time.Now().UTC()))},
			{Key: "content-type", Value: []byte("application/json")},
		},
	}
	return e.producer.ProduceSync(ctx, record).FirstErr()
}
