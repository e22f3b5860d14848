package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"example.com/enlace/migrations"
)

func (a *app) migrateCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "migrate",
		GroupID: groupOperate,
		Short:   "Bring the database to this version",
		Long: `Brings the database of DATABASE_DIRECT_URL, else of DATABASE_URL, to this version: enlace's tables, then River's in the
schema "river". It adds to what is there and takes nothing away; where nothing is to be done, it does nothing.

It needs a direct connection: behind a transaction pooler, set DATABASE_DIRECT_URL.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig()
			if err != nil {
				return err
			}
			url := cfg.DatabaseDirectURL
			if url.secret == "" {
				if err := cfg.require("DATABASE_URL"); err != nil {
					return err
				}
				url = cfg.DatabaseURL
			}
			pool, err := openPool(cmd.Context(), url, cfg, newLogger(a.stderr, cfg.LogLevel), "migrate")
			if err != nil {
				return err
			}
			defer pool.Close()
			res, err := migrations.Up(cmd.Context(), pool)
			if err != nil {
				return fmt.Errorf("migrate: %w", err)
			}
			if res.Applied == 0 {
				_, err = fmt.Fprintf(a.stdout, "the database is up to date (version %d)\n", res.Version)
			} else {
				_, err = fmt.Fprintf(a.stdout, "the database is at version %d now (migrations applied: %d)\n", res.Version, res.Applied)
			}
			return err
		},
	}
}

// checkSchema reports an error that says what to do unless the database has the schema that this program needs.
func checkSchema(ctx context.Context, pool *pgxpool.Pool) error {
	err := migrations.Check(ctx, pool)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == pgerrcode.InvalidSchemaName || e.Code == pgerrcode.UndefinedTable) {
		return errors.New("the database has none of enlace's tables yet: run `enlace migrate`")
	}
	return err
}
