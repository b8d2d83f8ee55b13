package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const readinessTimeout = 2 * time.Second

// newAPI serves the service; `ping` tells whether its servers answer.
func newAPI(s *service, ping func(context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /order/create", handler(s.postOrder))
	mux.Handle("GET /order/all", handler(s.listAll))
	mux.Handle("GET /order/{userID}", handler(s.listOfUser))
	mux.Handle("GET /orders/{orderID}", handler(s.showOrder))
	mux.HandleFunc("GET /livez", showLiveness)
	mux.HandleFunc("GET /readyz", showReadiness(ping))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answerProblem(w, errNotFound) })
	return mux
}

func (s *service) postOrder(w http.ResponseWriter, r *http.Request) error {
	wanted, err := readOrder(w, r)
	if err != nil {
		return err
	}
	// A client that hangs up does not stop an order half way.
	created, err := s.createOrder(context.WithoutCancel(r.Context()), wanted)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/orders/"+created.OrderID)
	answerJSON(w, http.StatusCreated, created)
	return nil
}

func (s *service) listAll(w http.ResponseWriter, r *http.Request) error {
	limit, err := parseLimit(r.URL.Query())
	if err != nil {
		return err
	}
	cursor, err := s.orders.newestFirst(r.Context(), bson.D{}, limit)
	if err != nil {
		return err
	}
	if limit == 0 {
		// Without a limit there may be millions.
		streamOrders(r.Context(), w, cursor)
		return nil
	}
	var orders []order
	if err := cursor.All(r.Context(), &orders); err != nil {
		return err
	}
	answerJSON(w, http.StatusOK, presentAll(orders))
	return nil
}

func (s *service) listOfUser(w http.ResponseWriter, r *http.Request) error {
	userID := r.PathValue("userID")
	orders, err := s.orders.ofUser(r.Context(), userID)
	if err != nil {
		return err
	}
	answerJSON(w, http.StatusOK, presentAll(orders))
	s.background.Go(func() {
		if err := s.tellOfOrders(context.WithoutCancel(r.Context()), userID, orders, "request"); err != nil {
			slog.Error("user_orders was not sent", "error", err)
		}
	})
	return nil
}

func (s *service) showOrder(w http.ResponseWriter, r *http.Request) error {
	found, err := s.orders.byID(r.Context(), r.PathValue("orderID"))
	if err != nil {
		return err
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%d"`, found.Version))
	answerJSON(w, http.StatusOK, present(found))
	return nil
}

func showLiveness(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, map[string]bool{"alive": true})
}

func showReadiness(ping func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readinessTimeout)
		defer cancel()
		if err := ping(ctx); err != nil {
			answerJSON(w, http.StatusServiceUnavailable, map[string]bool{"ready": false})
			return
		}
		answerJSON(w, http.StatusOK, map[string]bool{"ready": true})
	}
}
