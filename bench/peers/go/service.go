package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

// service is what the HTTP API and the consumer share.
type service struct {
	orders    orderStore
	stock     stock
	customers customers
	events    events
	// background is what goes on behind answers.
	background sync.WaitGroup
}

func newService(opened *connections, database string) *service {
	return &service{
		orders:    orderStore{opened.mongo.Database(database).Collection("orders")},
		stock:     stock{opened.redis},
		customers: customers{opened.redis},
		events:    events{opened.producer},
	}
}

// createOrder returns the order once it is stored and announced.
func (s *service) createOrder(ctx context.Context, wanted orderRequest) (presentedOrder, error) {
	buyer, err := s.customers.find(ctx, wanted.userID)
	if err != nil {
		return presentedOrder{}, err
	}
	if !buyer.wantsNotifications() {
		title := "The customer wants no notifications"
		return presentedOrder{}, &problem{Type: "notifications-off", Title: title, Status: http.StatusConflict}
	}
	created, err := newOrder(wanted)
	if err != nil {
		return presentedOrder{}, err
	}
	if err := s.stock.take(ctx, created.Items); err != nil {
		return presentedOrder{}, err
	}
	if err := s.orders.insert(ctx, created); err != nil {
		return presentedOrder{}, errors.Join(err, s.stock.giveBack(ctx, created.Items))
	}
	presented := present(created)
	return presented, s.events.publishOrderCreated(ctx, presented, buyer.email)
}

// tellOfOrders publishes a customer's orders, newest first.
func (s *service) tellOfOrders(ctx context.Context, userID string, orders []order, reason string) error {
	asked, err := s.customers.find(ctx, userID)
	if err != nil {
		return err
	}
	return s.events.publishUserOrders(ctx, userID, asked.email, orders, reason)
}
