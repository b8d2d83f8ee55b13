package main

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// connections are the clients of the three servers, one of each kind in a process.
type connections struct {
	mongo    *mongo.Client
	redis    *redis.Client
	producer *kgo.Client
	consumer *kgo.Client
}

// connect returns once each server has answered.
func connect(ctx context.Context, settings config) (*connections, error) {
	durably, journal := writeconcern.Majority(), true
	durably.Journal = &journal
	mongoClient, err := mongo.Connect(options.Client().ApplyURI(settings.mongoURI).SetWriteConcern(durably))
	if err != nil {
		return nil, err
	}
	producer, err := newProducer(settings.kafkaBrokers)
	if err != nil {
		return nil, err
	}
	if err := createTopics(ctx, producer); err != nil {
		return nil, err
	}
	consumer, err := newConsumer(settings.kafkaBrokers)
	if err != nil {
		return nil, err
	}
	redisClient := redis.NewClient(&redis.Options{Addr: settings.redisAddress})
	opened := &connections{mongo: mongoClient, redis: redisClient, producer: producer, consumer: consumer}
	return opened, opened.ping(ctx)
}

func (c *connections) ping(ctx context.Context) error {
	if err := c.mongo.Ping(ctx, nil); err != nil {
		return err
	}
	return c.redis.Ping(ctx).Err()
}

func (c *connections) close(ctx context.Context) error {
	c.consumer.CloseAllowingRebalance()
	c.producer.Close()
	return errors.Join(c.redis.Close(), c.mongo.Disconnect(ctx))
}
