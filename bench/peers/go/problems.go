package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
)

// problem is an error as its client is told of it (RFC 9457).
type problem struct {
	Type      string       `json:"type"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	ProductID string       `json:"productId,omitempty"`
	Errors    []fieldError `json:"errors,omitempty"`
}

// fieldError says what is wrong with one value of a request, and where it is (RFC 6901).
type fieldError struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

func (p *problem) Error() string { return p.Title }

var errNotFound = &problem{Type: "not-found", Title: "There is nothing here", Status: http.StatusNotFound}

// handler is a route that leaves the answering of errors to answerProblem.
type handler func(http.ResponseWriter, *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		answerProblem(w, err)
	}
}

func answerProblem(w http.ResponseWriter, err error) {
	var told *problem
	if !errors.As(err, &told) {
		slog.Error("a request failed", "error", err)
		told = &problem{Type: "internal", Title: "Something broke", Status: http.StatusInternalServerError}
	}
	answer(w, told.Status, "application/problem+json", told)
}

func answerJSON(w http.ResponseWriter, status int, value any) {
	answer(w, status, "application/json", value)
}

func answer(w http.ResponseWriter, status int, mediaType string, value any) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		slog.Error("an answer was not sent", "error", err)
	}
}
