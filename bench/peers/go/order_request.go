package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	maxBodyBytes     = 256 << 10
	maxAddressBytes  = 4 << 10
	maxMetadataBytes = 16 << 10
	maxItems         = 100
	maxQuantity      = 10_000
	maxNote          = 2000
)

var (
	idPattern       = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)
	moneyPattern    = regexp.MustCompile(`^\d{1,9}(\.\d{1,4})?$`)
	currencyPattern = regexp.MustCompile(`^[A-Z]{3}$`)
)

// orderRequest is a valid create.
type orderRequest struct {
	userID          string
	items           []item
	currency        string
	shippingAddress map[string]string
	note            *string
	metadata        bson.D
}

// orderBody is a create as a client may send it. Its items are decoded one by one, so that an error can say in which it is.
type orderBody struct {
	UserID          string            `json:"userId"`
	Items           []json.RawMessage `json:"items"`
	Currency        string            `json:"currency"`
	ShippingAddress map[string]string `json:"shippingAddress"`
	Note            *string           `json:"note"`
	Metadata        bson.D            `json:"metadata"`
	flatItem
}

// flatItem is the one product that may be given beside the user, instead of items.
type flatItem struct {
	ProductID json.RawMessage `json:"productId,omitempty"`
	Quantity  json.RawMessage `json:"quantity,omitempty"`
	UnitPrice json.RawMessage `json:"unitPrice,omitempty"`
}

type itemBody struct {
	ProductID string  `json:"productId"`
	Quantity  float64 `json:"quantity"` // 3.0 is a whole number, too
	UnitPrice any     `json:"unitPrice"`
}

func readOrder(w http.ResponseWriter, r *http.Request) (orderRequest, error) {
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType != "application/json" {
		return orderRequest{}, &problem{
			Type:   "unsupported-media-type",
			Title:  "The body has to be application/json",
			Status: http.StatusUnsupportedMediaType,
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		return orderRequest{}, unreadable(err)
	}
	return parseOrder(body)
}

func parseOrder(text []byte) (orderRequest, error) {
	if !json.Valid(text) {
		return orderRequest{}, &problem{Type: "malformed", Title: "The body is not JSON", Status: http.StatusBadRequest}
	}
	var v validation
	body := orderBody{Currency: "USD"}
	if !v.decode(text, "", &body) {
		return orderRequest{}, v.invalidOrder()
	}
	v.check(idPattern.MatchString(body.UserID), "/userId", "is not an id")
	v.check(body.UserID != "all" && body.UserID != "create", "/userId", "is a reserved word")
	v.check(currencyPattern.MatchString(body.Currency), "/currency", "is not three capital letters")
	v.check(fitsInto(maxAddressBytes, body.ShippingAddress), "/shippingAddress", "is too long")
	v.check(body.Note == nil || utf8.RuneCountInString(*body.Note) <= maxNote, "/note", "is too long")
	v.check(fitsInto(maxMetadataBytes, body.Metadata), "/metadata", "is too long")
	wanted := orderRequest{
		userID:          body.UserID,
		items:           v.items(body),
		currency:        body.Currency,
		shippingAddress: body.ShippingAddress,
		note:            body.Note,
		metadata:        body.Metadata,
	}
	if len(v.errors) > 0 {
		return orderRequest{}, v.invalidOrder()
	}
	return wanted, nil
}

// items returns the valid items; lines of one product are one item.
func (v *validation) items(body orderBody) []item {
	lines := body.Items
	if flat := body.flatItem; lines == nil && flat.ProductID != nil {
		line, err := json.Marshal(flat)
		v.check(err == nil, "", "is not an order")
		lines = []json.RawMessage{line}
	} else {
		v.check(flat.ProductID == nil, "/productId", "is unknown beside items")
		v.check(flat.Quantity == nil, "/quantity", "is unknown beside items")
		v.check(flat.UnitPrice == nil, "/unitPrice", "is unknown beside items")
	}
	v.check(0 < len(lines) && len(lines) <= maxItems, "/items", fmt.Sprintf("are not 1 to %d", maxItems))
	items, places := make([]item, 0, len(lines)), make(map[string]int, len(lines))
	for i, line := range lines {
		pointer := fmt.Sprintf("/items/%d", i)
		one, ok := v.item(line, pointer)
		if !ok {
			continue
		}
		place, repeated := places[one.ProductID]
		if !repeated {
			places[one.ProductID] = len(items)
			items = append(items, one)
			continue
		}
		earlier := &items[place]
		earlier.Quantity += one.Quantity
		v.check(earlier.Quantity <= maxQuantity, pointer+"/quantity", fmt.Sprintf("adds up to more than %d", maxQuantity))
		v.check(samePrice(earlier.UnitPrice, one.UnitPrice), pointer+"/unitPrice", "differs for one product")
	}
	return items
}

func (v *validation) item(line json.RawMessage, pointer string) (item, bool) {
	var body itemBody
	if !v.decode(line, pointer, &body) {
		return item{}, false
	}
	isWhole := body.Quantity == math.Trunc(body.Quantity)
	price, isMoney := parseMoney(body.UnitPrice)
	isID := v.check(idPattern.MatchString(body.ProductID), pointer+"/productId", "is not an id")
	isQuantity := v.check(isWhole && 1 <= body.Quantity && body.Quantity <= maxQuantity,
		pointer+"/quantity", fmt.Sprintf("is not a whole number from 1 to %d", maxQuantity))
	v.check(isMoney, pointer+"/unitPrice", "is not an amount below 10^9 with at most 4 decimals")
	return item{body.ProductID, int(body.Quantity), price}, isID && isQuantity && isMoney
}

// parseMoney takes strings and numbers; nil is no price. A float64 keeps all 13 digits that an amount may have.
func parseMoney(value any) (*bson.Decimal128, bool) {
	var text string
	switch value := value.(type) {
	case nil:
		return nil, true
	case string:
		text = value
	case float64:
		text = strconv.FormatFloat(value, 'f', -1, 64)
	}
	if !moneyPattern.MatchString(text) {
		return nil, false
	}
	amount, err := bson.ParseDecimal128(text)
	return &amount, err == nil
}

func samePrice(one, other *bson.Decimal128) bool {
	if one == nil || other == nil {
		return one == other
	}
	return *one == *other
}
