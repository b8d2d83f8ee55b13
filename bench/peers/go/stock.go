package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"

	"github.com/redis/go-redis/v9"
)

//go:embed take_stock.lua
var takeStockSource string

var takeStock = redis.NewScript(takeStockSource)

var refusals = map[string]string{
	"unknown-product":    "There is no such product",
	"insufficient-stock": "There is not enough stock",
}

// stock is the levels in Redis: set by product events, taken by orders, given back when an order could not be stored.
type stock struct {
	redis *redis.Client
}

func stockKey(productID string) string {
	return "product:" + productID + ":stock"
}

// take takes the units of all items, or of none and returns the problem of the first that is short.
func (s stock) take(ctx context.Context, items []item) error {
	keys, quantities := make([]string, len(items)), make([]any, len(items))
	for i, each := range items {
		keys[i], quantities[i] = stockKey(each.ProductID), each.Quantity
	}
	refusal, err := takeStock.Run(ctx, s.redis, keys, quantities...).Slice()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return err
	}
	return refused(refusal, items)
}

func refused(refusal []any, items []item) error {
	if len(refusal) == 2 {
		name, isName := refusal[0].(string)
		number, isNumber := refusal[1].(int64)
		if isName && isNumber {
			productID := items[number-1].ProductID
			return &problem{Type: name, Title: refusals[name], Status: http.StatusConflict, ProductID: productID}
		}
	}
	return fmt.Errorf("take_stock.lua answered %v", refusal)
}

func (s stock) giveBack(ctx context.Context, items []item) error {
	_, err := s.redis.TxPipelined(ctx, func(pipeline redis.Pipeliner) error {
		for _, each := range items {
			pipeline.IncrBy(ctx, stockKey(each.ProductID), int64(each.Quantity))
		}
		return nil
	})
	return err
}

func (s stock) set(ctx context.Context, productID string, level int64) error {
	return s.redis.Set(ctx, stockKey(productID), level, 0).Err()
}

func (s stock) remove(ctx context.Context, productID string) error {
	return s.redis.Del(ctx, stockKey(productID)).Err()
}
