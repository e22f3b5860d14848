-- +goose Up

ALTER TABLE public.integrations
    ADD COLUMN IF NOT EXISTS refresh_doubted_at timestamptz,
    ADD COLUMN IF NOT EXISTS sweep_asked_at     timestamptz;

COMMENT ON COLUMN public.integrations.refresh_doubted_at IS 'When the token host first refused this generation in a way that isn''t believed the first time.';
COMMENT ON COLUMN public.integrations.sweep_asked_at IS 'When a sweep was last asked for: only one that began later answers it.';

-- A budget is an object that all workers share: a call is paid here before it is made.
ALTER TABLE public.rate_budgets
    ADD COLUMN IF NOT EXISTS sent            timestamptz[] NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS daily_peak      bigint,
    ADD COLUMN IF NOT EXISTS daily_resets_at timestamptz,
    ADD COLUMN IF NOT EXISTS daily_told_at   timestamptz,
    ADD COLUMN IF NOT EXISTS pending         bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS pending_at      timestamptz,
    ADD COLUMN IF NOT EXISTS failures_in_row integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS down_since      timestamptz,
    ADD COLUMN IF NOT EXISTS probe_at        timestamptz;

COMMENT ON COLUMN public.rate_budgets.sent IS 'When the calls of the present window were paid.';
COMMENT ON COLUMN public.rate_budgets.daily_peak IS 'The most that was ever reported as remaining: of a provider that doesn''t tell its limit.';
COMMENT ON COLUMN public.rate_budgets.daily_told_at IS 'When daily_remaining was last believed: answers overtake each other, so that a larger one counts only a while later.';
COMMENT ON COLUMN public.rate_budgets.daily_resets_at IS 'Until when daily_remaining says something.';
COMMENT ON COLUMN public.rate_budgets.pending IS 'What was paid since pending_at for calls whose answers have not told of the budget yet.';
COMMENT ON COLUMN public.rate_budgets.failures_in_row IS 'Calls in a row, of whichever worker, that the provider did not answer or answered with a fault of its own.';
COMMENT ON COLUMN public.rate_budgets.down_since IS 'The provider doesn''t serve this account: its work waits together, for one probe.';
CREATE INDEX IF NOT EXISTS rate_budgets_down ON public.rate_budgets (probe_at) WHERE down_since IS NOT NULL;

ALTER TABLE public.pending_changes ADD COLUMN IF NOT EXISTS failures integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN public.pending_changes.failures IS 'How often this record could not be read though others could.';
