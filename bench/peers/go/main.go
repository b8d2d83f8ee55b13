// The order service in Go: the peer that the Python service is measured against.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	headerTimeout = 10 * time.Second
	stopTimeout   = 10 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx); err != nil {
		slog.Error("the service ended", "error", err)
		os.Exit(1)
	}
}

// run listens when every connection is open, until the context ends; then it ends in order.
func run(ctx context.Context) error {
	settings, err := configFromEnvironment()
	if err != nil {
		return err
	}
	opened, err := connect(ctx, settings)
	if err != nil {
		return err
	}
	s := newService(opened, settings.database)
	if err := s.orders.createIndex(ctx); err != nil {
		return err
	}
	consumption, stopConsuming := context.WithCancel(ctx)
	var consumer sync.WaitGroup
	consumer.Go(func() { s.consume(consumption, opened.consumer) })
	served := serve(ctx, &http.Server{
		Addr:              settings.address,
		Handler:           newAPI(s, opened.ping),
		ReadHeaderTimeout: headerTimeout,
	})
	stopConsuming()
	consumer.Wait()
	s.background.Wait()
	return errors.Join(served, opened.close(context.WithoutCancel(ctx)))
}

func serve(ctx context.Context, server *http.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	slog.Info("listening", "address", server.Addr)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return server.Shutdown(stopping)
	}
}
