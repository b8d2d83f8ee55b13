package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const clientName = "order-service-go"

// newProducer has franz-go's defaults: acks from all replicas, idempotent writes.
func newProducer(brokers []string) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ClientID(clientName))
}

// newConsumer starts at the beginning of the topics, and commits what was handled before it polls again or leaves.
func newConsumer(brokers []string) (*kgo.Client, error) {
	return kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ClientID(clientName),
		kgo.ConsumerGroup(clientName),
		kgo.ConsumeTopics(productEventsTopic, userLoggedInTopic),
		kgo.BlockRebalanceOnPoll(),
	)
}

// createTopics leaves topics that exist as they are, and the size of new ones to the broker.
func createTopics(ctx context.Context, client *kgo.Client) error {
	topics := []string{productEventsTopic, userLoggedInTopic, orderCreatedTopic, userOrdersTopic}
	created, err := kadm.NewClient(client).CreateTopics(ctx, -1, -1, nil, topics...)
	if err != nil {
		return err
	}
	for _, topic := range created {
		if topic.Err != nil && !errors.Is(topic.Err, kerr.TopicAlreadyExists) {
			return topic.Err
		}
	}
	return nil
}
