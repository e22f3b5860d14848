-- +goose Up

ALTER TABLE public.integrations
    ADD COLUMN IF NOT EXISTS refresh_doubted_at timestamptz,
    ADD COLUMN IF NOT EXISTS sweep_asked_at     timestamptz;

COMMENT ON COLUMN public.integrations.refresh_doubted_at IS 'When the token host first refused this generation in a way that isn''t believed the first time.';
COMMENT ON COLUMN public.integrations.sweep_asked_at IS 'When a sweep was last asked for: only one that began later answers it.';

ALTER TABLE public.pending_changes ADD COLUMN IF NOT EXISTS failures integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN public.pending_changes.failures IS 'How often this record could not be read though others could.';
