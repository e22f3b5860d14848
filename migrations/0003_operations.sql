-- +goose Up

-- What a provider said of an account's limits, shared by all workers and all integrations of that account.
CREATE TABLE public.rate_budgets (
    provider            text NOT NULL,
    external_account_id text NOT NULL,
    burst_limit         bigint,
    burst_window_ms     bigint,
    daily_limit         bigint,
    daily_remaining     bigint,
    limited_in_row      integer NOT NULL DEFAULT 0,
    blocked_until       timestamptz,
    reason              text,
    updated_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, external_account_id)
);

-- One open row per integration and cause.
CREATE TABLE public.incidents (
    id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id      uuid NOT NULL,
    integration_id uuid NOT NULL REFERENCES public.integrations (id) ON DELETE CASCADE,
    code           text NOT NULL,
    variant        text,
    detail         text,
    args           jsonb NOT NULL DEFAULT '{}'::jsonb,
    run_id         uuid,
    opened_at      timestamptz NOT NULL DEFAULT now(),
    last_seen_at   timestamptz NOT NULL DEFAULT now(),
    times          integer NOT NULL DEFAULT 1,
    closed_at      timestamptz
);
CREATE UNIQUE INDEX incidents_open ON public.incidents (integration_id, code) WHERE closed_at IS NULL;
CREATE INDEX incidents_tenant ON public.incidents (tenant_id, opened_at DESC, id DESC);

ALTER TABLE public.rate_budgets ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.incidents ENABLE ROW LEVEL SECURITY;
CREATE POLICY enlace_tenant_reads ON public.incidents FOR SELECT TO authenticated
    USING (tenant_id = (SELECT enlace.jwt_tenant()));
REVOKE ALL ON public.rate_budgets, public.incidents FROM anon, authenticated;
GRANT SELECT ON public.incidents TO authenticated;
GRANT ALL ON public.rate_budgets, public.incidents TO service_role;
