package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"example.com/enlace/store"
	"example.com/enlace/store/vault"
)

// cliActor is who acts at the command line, in the audit log.
const cliActor = "cli"

func (a *app) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "keys",
		GroupID: groupOperate,
		Short:   "API keys, and the key that seals tokens",
		Long:    "Makes and ends API keys, and moves stored tokens to another encryption key. It works on DATABASE_URL itself.",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.newKeyCommand(), a.listKeysCommand(), a.revokeKeyCommand(), a.rotateCommand(), a.importCommand())
	return cmd
}

func (a *app) newKeyCommand() *cobra.Command {
	var tenant, name string
	var admin bool
	cmd := &cobra.Command{
		Use:   "new --tenant TENANT",
		Short: "Make an API key for a tenant",
		Long: `Makes an API key for a tenant and prints it, once: only its hash is stored. With --admin it reaches every tenant, and
River UI.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			id, err := uuid.Parse(tenant)
			if err != nil || id == uuid.Nil {
				return usagef("--tenant must be the tenant's UUID")
			}
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				key := store.NewKey()
				made, err := s.CreateAPIKey(cmd.Context(), store.NewAPIKey{TenantID: id, Name: name, Admin: admin, CreatedBy: cliActor, Key: key})
				if err != nil {
					return err
				}
				if err := s.Audit(cmd.Context(), nil, store.Audit{
					TenantID: &id, Actor: cliActor, Action: "key.create", Subject: made.ID.String(), Details: map[string]any{"admin": admin},
				}); err != nil {
					return err
				}
				_, err = fmt.Fprintln(a.stdout, key)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "the tenant's UUID")
	cmd.Flags().StringVar(&name, "name", "made at the command line", "what the key is for")
	cmd.Flags().BoolVar(&admin, "admin", false, "a key that reaches every tenant")
	return cmd
}

func (a *app) listKeysCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the API keys of all tenants",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				keys, err := s.ListAPIKeys(cmd.Context(), nil, store.After{}, maxRows)
				if err != nil {
					return err
				}
				rows := make([][]string, 0, len(keys))
				for _, k := range keys {
					reach := "tenant"
					if k.Admin {
						reach = "admin"
					}
					rows = append(rows, []string{k.ID.String(), k.TenantID.String(), k.Prefix, k.Name, reach, shown(k.LastUsedAt), shown(k.RevokedAt)})
				}
				return writeTable(a.stdout, []string{"ID", "TENANT", "KEY", "NAME", "REACH", "LAST USED", "REVOKED"}, rows)
			})
		},
	}
}

func (a *app) revokeKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "End an API key at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuid.Parse(args[0])
			if err != nil {
				return usagef("ID must be the key's UUID, as `enlace keys list` shows it")
			}
			return a.withStore(cmd.Context(), func(s *store.Store) error {
				k, err := s.RevokeAPIKey(cmd.Context(), nil, id)
				if errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("there is no API key %s: `enlace keys list` lists them", id)
				}
				if err != nil {
					return err
				}
				if err := s.Audit(cmd.Context(), nil, store.Audit{
					TenantID: &k.TenantID, Actor: cliActor, Action: "key.revoke", Subject: k.ID.String(),
				}); err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.stdout, "%s… is revoked\n", k.Prefix)
				return err
			})
		},
	}
}

func (a *app) rotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Seal all stored tokens with the current key",
		Long: `Seals all stored tokens with ENCRYPTION_KEY, row by row, while everything runs. It may be broken off and begun again.

To change the key: make a new one (openssl rand -hex 32); give it to all processes as ENCRYPTION_KEY, and the one of
before as ENCRYPTION_KEYS_OLD; then run this; then leave ENCRYPTION_KEYS_OLD out.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withVault(cmd.Context(), func(_ *store.Store, v *vault.Vault) error {
				r, err := v.Rotate(cmd.Context())
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintf(a.stdout, "sealed anew: %d; with the current key already: %d; not opened: %d\n", r.Sealed, r.Current, len(r.Failed)); err != nil {
					return err
				}
				for _, id := range r.Failed {
					if _, err := fmt.Fprintf(a.stdout, "  %s\n", id); err != nil {
						return err
					}
				}
				if len(r.Failed) > 0 {
					return errors.New("some tokens do not open: add their key to ENCRYPTION_KEYS_OLD, or run `enlace keys import` for those of an earlier system")
				}
				return nil
			})
		},
	}
}

// plainTokens is a line of `enlace keys import`.
type plainTokens struct {
	IntegrationID uuid.UUID `json:"integration_id"`
	AccessToken   secret    `json:"access_token"`
	RefreshToken  secret    `json:"refresh_token"`
}

func (a *app) importCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "import < TOKENS",
		Short: "Seal the tokens of an earlier system",
		Long: `Seals the tokens of an earlier system with ENCRYPTION_KEY. It reads them from its input, decrypted by that system, as
one JSON object a line:

  {"integration_id": "…", "access_token": "…", "refresh_token": "…"}

Only integrations whose stored tokens are not in enlace's format are changed; those that are missing in the input are
listed. It may be run again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if isTerminal(a.stdin) {
				return usagef("the tokens are read from the input: enlace keys import < TOKENS; see `enlace keys import --help`")
			}
			given, err := readTokens(a.stdin)
			if err != nil {
				return err
			}
			return a.withVault(cmd.Context(), func(_ *store.Store, v *vault.Vault) error { return a.importTokens(cmd.Context(), v, given) })
		},
	}
}

// readTokens never repeats what it can't read: it may be a secret.
func readTokens(r io.Reader) (map[uuid.UUID]plainTokens, error) {
	given := make(map[uuid.UUID]plainTokens)
	decoder := json.NewDecoder(r)
	for n := 1; ; n++ {
		var t plainTokens
		err := decoder.Decode(&t)
		if errors.Is(err, io.EOF) {
			return given, nil
		}
		if err != nil || t.IntegrationID == uuid.Nil || t.AccessToken+t.RefreshToken == "" {
			return nil, usagef("object %d of the input must look like {\"integration_id\": \"…\", \"access_token\": \"…\", \"refresh_token\": \"…\"}", n)
		}
		given[t.IntegrationID] = t
	}
}

func (a *app) importTokens(ctx context.Context, v *vault.Vault, given map[uuid.UUID]plainTokens) error {
	sealed, missing := 0, 0
	err := v.Foreign(ctx, func(was store.SealedTokens) error {
		t, ok := given[was.ID]
		if !ok {
			missing++
			_, err := fmt.Fprintf(a.stdout, "not in the input: %s (%s)\n", was.ID, printable(was.Provider))
			return err
		}
		replaced, err := v.Reseal(ctx, was, t.AccessToken.reveal(), t.RefreshToken.reveal())
		if replaced {
			sealed++
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("import tokens: %w", err)
	}
	if _, err := fmt.Fprintf(a.stdout, "sealed: %d; not in the input: %d\n", sealed, missing); err != nil {
		return err
	}
	if missing > 0 {
		return errors.New("some integrations still have tokens of an earlier system")
	}
	return nil
}

// withStore calls do with a store on DATABASE_URL.
func (a *app) withStore(ctx context.Context, do func(*store.Store) error) error {
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	if err := cfg.require("DATABASE_URL"); err != nil {
		return err
	}
	pool, err := openPool(ctx, cfg.DatabaseURL, cfg, zerolog.Nop(), "keys")
	if err != nil {
		return err
	}
	defer pool.Close()
	return do(store.New(pool))
}

// withVault calls do with a vault as well.
func (a *app) withVault(ctx context.Context, do func(*store.Store, *vault.Vault) error) error {
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	if err := cfg.require("DATABASE_URL", "ENCRYPTION_KEY"); err != nil {
		return err
	}
	return a.withStore(ctx, func(s *store.Store) error {
		v, err := newVault(cfg, s, providerList(cfg), newLogger(a.stderr, cfg.LogLevel))
		if err != nil {
			return err
		}
		return errors.Join(do(s, v), v.Close(ctx))
	})
}
