// The application's API in Go: what the same requests cost without Python.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const connections = 10 // as the application's pool

// account is what the application responds with.
type account struct {
	Aid       int     `json:"aid"`
	Balance   int     `json:"balance"`
	Database  float64 `json:"db_latency_ms"`
	Tier      string  `json:"tier"`
	Timestamp string  `json:"timestamp"`
}

func main() {
	pool, err := open()
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /api/v1/accounts/{aid}", func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		aid, err := strconv.Atoi(r.PathValue("aid"))
		if err != nil {
			http.Error(w, `{"error":"account id must be a positive integer"}`, http.StatusBadRequest)
			return
		}
		found := account{Aid: aid, Tier: "application"}
		queried := time.Now()
		err = pool.QueryRow(r.Context(), "SELECT abalance FROM pgbench_accounts WHERE aid = $1", aid).Scan(&found.Balance)
		found.Database = float64(time.Since(queried).Microseconds()) / 1000
		if errors.Is(err, pgx.ErrNoRows) {
			http.Error(w, `{"error":"no such account"}`, http.StatusNotFound)
			return
		}
		if err != nil {
			http.Error(w, `{"error":"database unavailable"}`, http.StatusServiceUnavailable)
			return
		}
		found.Timestamp = time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		body, _ := json.Marshal(found)
		whole := float64(time.Since(began).Microseconds()) / 1000
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Server-Timing", fmt.Sprintf("db;dur=%.3f, app;dur=%.3f", found.Database, whole))
		w.Write(body)
	})
	log.Fatal(http.ListenAndServe(":"+os.Args[1], nil))
}

// open connects with the settings and the credentials of the application.
func open() (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(os.Getenv("DATABASE_PORT"), 10, 16)
	if err != nil {
		return nil, err
	}
	password, err := os.ReadFile(os.Getenv("DATABASE_PASSWORD"))
	if err != nil {
		return nil, err
	}
	certificate, err := os.ReadFile(os.Getenv("DATABASE_CERTIFICATE"))
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(certificate)
	connection := config.ConnConfig
	connection.Host, connection.Port = os.Getenv("DATABASE_HOST"), uint16(port)
	connection.User, connection.Database, connection.Password = os.Args[2], os.Args[3], string(password)
	connection.TLSConfig = &tls.Config{RootCAs: trusted, ServerName: connection.Host, MinVersion: tls.VersionTLS13}
	connection.Fallbacks = nil
	connection.LookupFunc = net.DefaultResolver.LookupHost
	config.MaxConns, config.MinConns = connections, connections
	return pgxpool.NewWithConfig(context.Background(), config)
}
