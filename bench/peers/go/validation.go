package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// validation collects what is wrong with a request.
type validation struct {
	errors []fieldError
}

func (v *validation) check(ok bool, pointer, detail string) bool {
	if !ok {
		v.errors = append(v.errors, fieldError{pointer, detail})
	}
	return ok
}

// decode reads JSON whose syntax is right into a struct that has all its fields, and notes the first that does not fit.
func (v *validation) decode(text []byte, pointer string, into any) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		return true
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return v.check(false, pointer+pointerTo(wrong.Field), "must not be a "+wrong.Value)
	}
	// An unknown field has no error type of its own.
	return v.check(false, pointer, strings.TrimPrefix(err.Error(), "json: "))
}

func pointerTo(field string) string {
	if field == "" {
		return ""
	}
	return "/" + strings.ReplaceAll(field, ".", "/")
}

func (v *validation) invalidOrder() error {
	return &problem{
		Type:   "invalid-order",
		Title:  "The order is not valid",
		Status: http.StatusUnprocessableEntity,
		Errors: v.errors,
	}
}

func fitsInto(bytes int, value any) bool {
	text, err := json.Marshal(value)
	return err == nil && len(text) <= bytes
}

// unreadable is the problem of a body that could not be read to its end.
func unreadable(err error) error {
	status := http.StatusBadRequest
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		status = http.StatusRequestEntityTooLarge
	}
	return &problem{Type: "malformed", Title: err.Error(), Status: status}
}
