package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/redis/go-redis/v9"
)

const (
	preferencesKey = "user:preferences"
	emailKey       = "user:email"
)

// customer is what Redis knows of a user, learnt at login.
type customer struct {
	preferences map[string]any
	email       *string
}

// wantsNotifications is true unless the customer said otherwise, of all of them or of those about orders.
func (c customer) wantsNotifications() bool {
	switch wanted := c.preferences["notifications"].(type) {
	case bool:
		return wanted
	case map[string]any:
		return wanted["orders"] != false
	default:
		return true
	}
}

type customers struct {
	redis *redis.Client
}

func (c customers) find(ctx context.Context, userID string) (customer, error) {
	pipeline := c.redis.Pipeline()
	preferences := pipeline.HGet(ctx, preferencesKey, userID)
	email := pipeline.HGet(ctx, emailKey, userID)
	// What is not there is an error, too: redis.Nil, of the pipeline as of its commands.
	if _, err := pipeline.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return customer{}, err
	}
	var found customer
	if email.Err() == nil {
		address := email.Val()
		found.email = &address
	}
	if preferences.Err() == nil {
		if err := json.Unmarshal([]byte(preferences.Val()), &found.preferences); err != nil {
			return customer{}, err
		}
	}
	return found, nil
}

func (c customers) remember(ctx context.Context, login userLoggedIn) error {
	_, err := c.redis.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
		if login.Preferences != nil {
			pipeline.HSet(ctx, preferencesKey, login.UserID, []byte(*login.Preferences))
		}
		if login.Email != "" {
			pipeline.HSet(ctx, emailKey, login.UserID, login.Email)
		}
		return nil
	})
	return err
}
