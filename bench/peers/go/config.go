package main

import (
	"cmp"
	"net"
	"net/url"
	"os"
	"strings"
)

// config says where the servers are: the five variables of the contract.
type config struct {
	address      string
	mongoURI     string
	database     string
	redisAddress string
	kafkaBrokers []string
}

func configFromEnvironment() (config, error) {
	mongoURI := variable("MONGO_URI", "mongodb://127.0.0.1:27017/orders")
	parsed, err := url.Parse(mongoURI)
	if err != nil {
		return config{}, err
	}
	return config{
		address:      net.JoinHostPort("127.0.0.1", variable("PORT", "8002")),
		mongoURI:     mongoURI,
		database:     cmp.Or(strings.Trim(parsed.Path, "/"), "orders"),
		redisAddress: net.JoinHostPort(variable("REDIS_HOST", "127.0.0.1"), variable("REDIS_PORT", "6379")),
		kafkaBrokers: strings.Split(variable("KAFKA_BROKER", "127.0.0.1:9092"), ","),
	}, nil
}

func variable(name, otherwise string) string {
	return cmp.Or(os.Getenv(name), otherwise)
}
