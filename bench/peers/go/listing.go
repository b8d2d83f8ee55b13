package main

import (
	"net/http"
	"net/url"
	"strconv"
)

const maxLimit = 1000

// parseLimit returns how many orders the query asks for, 0 for all of them.
func parseLimit(query url.Values) (int64, error) {
	var v validation
	for name, values := range query {
		v.check(name == "limit", "/"+name, "is unknown")
		v.check(len(values) == 1, "/"+name, "is given more than once")
	}
	var limit int64
	if query.Has("limit") {
		number, err := strconv.ParseUint(query.Get("limit"), 10, 16)
		v.check(err == nil && 1 <= number && number <= maxLimit, "/limit", "is not a number from 1 to 1000")
		limit = int64(number)
	}
	if len(v.errors) > 0 {
		title := "A query parameter is wrong"
		return 0, &problem{Type: "malformed", Title: title, Status: http.StatusBadRequest, Errors: v.errors}
	}
	return limit, nil
}
