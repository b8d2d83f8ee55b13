package main

import (
	"fmt"
	"math/big"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// totalOf returns the exact total, with as many decimals as the most precise price; nil where a price is missing.
func totalOf(items []item) (*bson.Decimal128, error) {
	sum, exponent := new(big.Int), 0
	for _, each := range items {
		if each.UnitPrice == nil {
			return nil, nil
		}
		units, itsExponent, err := each.UnitPrice.BigInt()
		if err != nil {
			return nil, err
		}
		units.Mul(units, big.NewInt(int64(each.Quantity)))
		if itsExponent < exponent {
			sum.Mul(sum, powerOfTen(exponent-itsExponent))
			exponent = itsExponent
		}
		sum.Add(sum, units.Mul(units, powerOfTen(itsExponent-exponent)))
	}
	total, ok := bson.ParseDecimal128FromBigInt(sum, exponent)
	if !ok {
		return nil, fmt.Errorf("%se%d is no Decimal128", sum, exponent)
	}
	return &total, nil
}

func powerOfTen(exponent int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
}
