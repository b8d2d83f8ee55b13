package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	productEventsTopic = "product_events"
	userLoggedInTopic  = "user_logged_in"
)

type productEvent struct {
	ProductID string `json:"productId"`
	Type      string `json:"type"`
	Stock     *int64 `json:"stock"`
}

type userLoggedIn struct {
	UserID      string           `json:"userId"`
	Email       string           `json:"email"`
	Preferences *json.RawMessage `json:"preferences"`
}

// consume learns stock levels and logins from Kafka until the context ends.
func (s *service) consume(ctx context.Context, consumer *kgo.Client) {
	// What was polled is handled to its end, for the next poll and the end of the consumer commit it.
	handling := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		fetches := consumer.PollFetches(ctx)
		fetches.EachError(func(topic string, partition int32, err error) {
			if !errors.Is(err, context.Canceled) {
				slog.Error("Kafka could not be read", "topic", topic, "partition", partition, "error", err)
			}
		})
		fetches.EachRecord(func(record *kgo.Record) {
			if err := s.handle(handling, record); err != nil {
				// Returned, one message that can't be read would stop all behind it.
				slog.Error("a message was skipped", "topic", record.Topic, "offset", record.Offset, "error", err)
			}
		})
		consumer.AllowRebalance()
	}
}

func (s *service) handle(ctx context.Context, record *kgo.Record) error {
	if record.Topic == userLoggedInTopic {
		return s.handleLogin(ctx, record)
	}
	return s.handleProductEvent(ctx, record)
}

func (s *service) handleProductEvent(ctx context.Context, record *kgo.Record) error {
	if record.Value == nil {
		return s.stock.remove(ctx, string(record.Key))
	}
	event := productEvent{ProductID: string(record.Key)}
	if err := json.Unmarshal(record.Value, &event); err != nil {
		return err
	}
	if strings.Contains(event.Type, "deleted") {
		return s.stock.remove(ctx, event.ProductID)
	}
	if event.Stock == nil || *event.Stock < 0 {
		return errors.New("the stock level is not a whole number")
	}
	return s.stock.set(ctx, event.ProductID, *event.Stock)
}

func (s *service) handleLogin(ctx context.Context, record *kgo.Record) error {
	var login userLoggedIn
	if err := json.Unmarshal(record.Value, &login); err != nil {
		return err
	}
	if err := s.customers.remember(ctx, login); err != nil {
		return err
	}
	orders, err := s.orders.ofUser(ctx, login.UserID)
	if err != nil {
		return err
	}
	return s.tellOfOrders(ctx, login.UserID, orders, "login")
}
