package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// streamOrders answers with one JSON array, an order at a time. The status is sent by the time that something breaks, so
// the connection is broken off then.
func streamOrders(ctx context.Context, w http.ResponseWriter, cursor *mongo.Cursor) {
	defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
	w.Header().Set("Content-Type", "application/json")
	if err := writeOrders(ctx, w, cursor); err != nil {
		slog.Error("a list broke off", "error", err)
		panic(http.ErrAbortHandler)
	}
}

func writeOrders(ctx context.Context, w io.Writer, cursor *mongo.Cursor) error {
	encoder := json.NewEncoder(w)
	separator := "["
	for cursor.Next(ctx) {
		var next order
		if err := cursor.Decode(&next); err != nil {
			return err
		}
		if _, err := io.WriteString(w, separator); err != nil {
			return err
		}
		if err := encoder.Encode(present(next)); err != nil {
			return err
		}
		separator = ","
	}
	if err := cursor.Err(); err != nil {
		return err
	}
	ending := "]"
	if separator == "[" {
		ending = "[]"
	}
	_, err := io.WriteString(w, ending)
	return err
}
