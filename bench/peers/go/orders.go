package main

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// order is an order as MongoDB holds it.
type order struct {
	ID              string            `bson:"_id"`
	UserID          string            `bson:"userId"`
	Items           []item            `bson:"items"`
	Currency        string            `bson:"currency"`
	Total           *bson.Decimal128  `bson:"total"`
	Status          string            `bson:"status"`
	ShippingAddress map[string]string `bson:"shippingAddress"`
	Note            *string           `bson:"note"`
	Metadata        bson.D            `bson:"metadata"`
	Version         int               `bson:"version"`
	CreatedAt       time.Time         `bson:"createdAt"`
	UpdatedAt       time.Time         `bson:"updatedAt"`
}

type item struct {
	ProductID string           `bson:"productId" json:"productId"`
	Quantity  int              `bson:"quantity" json:"quantity"`
	UnitPrice *bson.Decimal128 `bson:"unitPrice" json:"unitPrice"`
}

// newOrder returns the order that is wanted, with an id that is random and ordered by time, so that the newest first
// is the order of the primary key.
func newOrder(wanted orderRequest) (order, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return order{}, err
	}
	total, err := totalOf(wanted.items)
	if err != nil {
		return order{}, err
	}
	now := time.Now().UTC()
	return order{
		ID:              id.String(),
		UserID:          wanted.userID,
		Items:           wanted.items,
		Currency:        wanted.currency,
		Total:           total,
		Status:          "confirmed",
		ShippingAddress: wanted.shippingAddress,
		Note:            wanted.note,
		Metadata:        wanted.metadata,
		Version:         1,
		CreatedAt:       now,
		UpdatedAt:       now,
	}, nil
}

// presentedOrder is an order as JSON shows it, over HTTP and in events.
type presentedOrder struct {
	OrderID         string            `json:"orderId"`
	UserID          string            `json:"userId"`
	Items           []item            `json:"items"`
	Currency        string            `json:"currency"`
	Total           *bson.Decimal128  `json:"total"`
	Status          string            `json:"status"`
	ShippingAddress map[string]string `json:"shippingAddress"`
	Note            *string           `json:"note"`
	Metadata        bson.D            `json:"metadata"`
	Version         int               `json:"version"`
	CreatedAt       string            `json:"createdAt"`
	UpdatedAt       string            `json:"updatedAt"`
}

func present(o order) presentedOrder {
	return presentedOrder{
		OrderID:         o.ID,
		UserID:          o.UserID,
		Items:           o.Items,
		Currency:        o.Currency,
		Total:           o.Total,
		Status:          o.Status,
		ShippingAddress: o.ShippingAddress,
		Note:            o.Note,
		Metadata:        o.Metadata,
		Version:         o.Version,
		CreatedAt:       timestamp(o.CreatedAt),
		UpdatedAt:       timestamp(o.UpdatedAt),
	}
}

func presentAll(orders []order) []presentedOrder {
	presented := make([]presentedOrder, len(orders))
	for i, each := range orders {
		presented[i] = present(each)
	}
	return presented
}

// timestamp has always three decimals, as MongoDB keeps them; RFC3339Nano drops zeros.
func timestamp(at time.Time) string {
	return at.Format("2006-01-02T15:04:05.000Z07:00")
}

type orderStore struct {
	collection *mongo.Collection
}

func (s orderStore) createIndex(ctx context.Context) error {
	keys := bson.D{{Key: "userId", Value: 1}, {Key: "_id", Value: -1}}
	_, err := s.collection.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: keys})
	return err
}

func (s orderStore) insert(ctx context.Context, o order) error {
	_, err := s.collection.InsertOne(ctx, o)
	return err
}

func (s orderStore) byID(ctx context.Context, orderID string) (order, error) {
	var found order
	err := s.collection.FindOne(ctx, bson.D{{Key: "_id", Value: orderID}}).Decode(&found)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return order{}, errNotFound
	}
	return found, err
}

func (s orderStore) ofUser(ctx context.Context, userID string) ([]order, error) {
	cursor, err := s.newestFirst(ctx, bson.D{{Key: "userId", Value: userID}}, 0)
	if err != nil {
		return nil, err
	}
	var found []order
	err = cursor.All(ctx, &found)
	return found, err
}

// newestFirst finds at most `limit` orders, all where it is 0.
func (s orderStore) newestFirst(ctx context.Context, filter bson.D, limit int64) (*mongo.Cursor, error) {
	newest := options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(limit)
	return s.collection.Find(ctx, filter, newest)
}
