package jobs

import (
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"example.com/enlace/migrations"
)

// InsertOnly is a River client that inserts, cancels and shows jobs but works none: for API processes.
func InsertOnly(driver *riverpgxv5.Driver, logger *slog.Logger) (*river.Client[pgx.Tx], error) {
	client, err := river.NewClient(driver, &river.Config{Schema: migrations.RiverSchema, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("make queue client: %w", err)
	}
	return client, nil
}
