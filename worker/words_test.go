package worker_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/enlace/migrations"
	"example.com/enlace/providers"
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
	"example.com/enlace/worker"
)

// refusing is a source that always fails in one way, once it has asked.
type refusing struct {
	err    error
	client *http.Client
	domain string
}

func (s refusing) ListContacts(ctx context.Context, _ providers.ListRequest) (page providers.Page, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.domain+"/api/v1/users/me", http.NoBody)
	if err != nil {
		return page, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return page, err
	}
	_ = resp.Body.Close()
	return page, s.err
}

func (s refusing) ReadContact(context.Context, string) (providers.Contact, providers.Observation, error) {
	return providers.Contact{}, providers.Observation{}, s.err
}

// kinds are all kinds of errors that there are, read from where they are declared: a new one is in this test by itself.
func kinds(t *testing.T) (list []providers.ErrorKind) {
	t.Helper()
	for name, value := range constantsOf(t, "../providers") {
		if strings.HasPrefix(name, "ErrorKind ") {
			list = append(list, providers.ErrorKind(value))
		}
	}
	require.GreaterOrEqual(t, len(list), 13)
	return list
}

// constantsOf reads the text constants of a package, by "Type Name".
func constantsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, file := range parsed(t, dir) {
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				kind := ""
				if id, ok := v.Type.(*ast.Ident); ok {
					kind = id.Name
				}
				for i, name := range v.Names {
					if i < len(v.Values) {
						if lit, ok := v.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
							text, err := strconv.Unquote(lit.Value)
							require.NoError(t, err)
							found[kind+" "+name.Name] = text
						}
					}
				}
			}
		}
	}
	return found
}

func parsed(t *testing.T, dir string) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(dir + "/*.go")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		files = append(files, file)
	}
	return files
}

// waits are the keys of waiting reasons.
func waits(t *testing.T) (keys []string) {
	t.Helper()
	for name, value := range constantsOf(t, "../providers/words") {
		if strings.HasPrefix(name, " Wait") {
			keys = append(keys, value)
		}
	}
	require.GreaterOrEqual(t, len(keys), 13)
	return keys
}

// said requires that a run's state can be said in both languages, whole.
func said(t *testing.T, r store.Run) {
	t.Helper()
	for _, lang := range []words.Lang{words.En, words.Es} {
		facts := words.RunFacts{
			Status: r.Status, WaitingUntil: value(r.WaitingUntil), WaitingReason: value(r.WaitingReason), LeaseUntil: value(r.LeaseUntil),
			Outcome: value(r.Outcome), ErrorCode: words.Code(value(r.ErrorCode)), ErrorVariant: value(r.ErrorVariant), StartedAt: value(r.StartedAt),
			CompletedAt: value(r.CompletedAt), Synced: r.RecordsSynced, Pages: int64(r.Pages), Skipped: r.RecordsFailed,
		}
		percent := 20.0
		state := words.RunState(lang, facts, words.Args{
			Now: time.Now(), Provider: "CRM", Account: "Company", Detail: "words", Name: "contacts", Count: words.Num(r.FailuresInRow + 1), Percent: &percent,
		})
		for _, text := range []string{state.Label, state.Tooltip} {
			require.NotEmpty(t, text, "%s: %+v", lang, facts)
			require.NotRegexp(t, `[{}\[\]]|…`, text)
		}
	}
}

// Whatever goes wrong at a provider, the run that it ends or parks says so by a code or a waiting reason of the words.
func TestEveryKindOfErrorHasItsWords(t *testing.T) {
	t.Parallel()

	known := waits(t)
	for _, kind := range kinds(t) {
		for _, variant := range variantsOf(kind) {
			t.Run(string(kind)+" "+variant, func(t *testing.T) {
				t.Parallel()

				w := newWorld(t, worldOptions{spans: worker.Spans{Backoff: time.Millisecond}})
				err := &providers.Error{Kind: kind, Variant: variant, Op: "crm: list contacts", Status: 400, Detail: "words"}
				switch kind { //nolint:exhaustive // those that wait for the provider
				case providers.RateLimited, providers.QuotaExhausted, providers.Blocked:
					err.RetryAt = time.Now().Add(time.Hour)
				}
				w.list[0].Contacts = func(a providers.Account, client *http.Client) providers.ContactSource {
					return refusing{err, client, a.APIDomain}
				}
				w.start(t)
				run := w.until(t, w.enqueue(t, store.Full).ID, func(r store.Run) bool {
					return !r.Active() || r.WaitingUntil != nil && time.Until(*r.WaitingUntil) > time.Minute
				})
				if run.Active() {
					require.Contains(t, known, *run.WaitingReason)
				} else {
					require.Equal(t, store.Failed, run.Status)
					require.True(t, words.Known(words.Code(*run.ErrorCode), value(run.ErrorVariant)), "%s/%s", *run.ErrorCode, value(run.ErrorVariant))
					require.NotEmpty(t, value(run.ErrorMessage))
				}
				said(t, run)
				for _, code := range w.incidents(t) {
					require.True(t, words.FactsOf(words.Code(code), "").Incident, code)
				}
			})
		}
	}
}

// variantsOf are those of the kind's code, and none.
func variantsOf(kind providers.ErrorKind) []string {
	list := []string{""}
	code, _ := words.FromKind(string(kind))
	for _, v := range words.FactsOf(code, "").Variants {
		if kind == providers.Misconfigured || kind == providers.Blocked || kind == providers.NeedsReauth {
			list = append(list, v.Name)
		}
	}
	return list
}

// passedOn are expressions that carry what another place has said.
func passedOn() []string {
	return []string{
		"string(code)", "code", "budget.Reason", "refused.Reason", "w.Reason", "string(e.Kind)", "end.Code", "found.Code", "r.Variant",
	}
}

// Every end, wait and incident that any of our code writes is one of the words: the source is read, so that no path is
// left out because no test walks it.
func TestEveryPathThatEndsOrParksSaysAWord(t *testing.T) {
	t.Parallel()

	known := waits(t)
	texts := map[string]string{}
	for _, dir := range []string{"../providers/words", "../store", "../jobs"} {
		for name, value := range constantsOf(t, dir) {
			_, short, _ := strings.Cut(name, " ")
			texts[filepath.Base(dir)+"."+short] = value
			if dir == "../store" {
				texts[short] = value
			}
		}
	}
	texts["jobs.Cancelled"], texts["Cancelled"] = string(words.Cancelled), string(words.Cancelled)
	checked := 0
	for _, dir := range []string{"../worker", "../jobs", "../store", "../store/vault", "../api", "../inspect", "../cmd/enlace"} {
		for _, file := range parsed(t, dir) {
			ast.Inspect(file, func(n ast.Node) bool {
				lit, ok := n.(*ast.CompositeLit)
				if !ok {
					return true
				}
				name := nameOf(lit.Type)
				member := map[string]string{"RunEnd": "Code", "Trouble": "Code", "Wait": "Reason"}[name]
				for _, e := range lit.Elts {
					kv, ok := e.(*ast.KeyValueExpr)
					if !ok || member == "" || nameOf(kv.Key) != member {
						continue
					}
					text := written(kv.Value)
					inner := strings.TrimSuffix(strings.TrimPrefix(text, "string("), ")")
					value, resolved := texts[inner]
					if lit, err := strconv.Unquote(text); err == nil {
						value, resolved = lit, true
					}
					switch {
					case resolved && member == "Code":
						require.True(t, words.Known(words.Code(value), ""), "%s: %s", dir, text)
					case resolved:
						require.Contains(t, known, value, "%s: %s", dir, text)
					default:
						require.Contains(t, passedOn(), text, "%s: %s of %s is neither a word nor passed on", dir, text, name)
					}
					checked++
				}
				return true
			})
		}
	}
	require.Greater(t, checked, 35)
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// written is an expression as its source has it, as far as these tests meet them.
func written(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return written(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		if len(e.Args) == 1 {
			return written(e.Fun) + "(" + written(e.Args[0]) + ")"
		}
	case *ast.BasicLit:
		return e.Value
	}
	return "?"
}

// The same of what SQL writes by itself, and of the list that the database holds every writer to.
func TestTheDatabaseKnowsTheWords(t *testing.T) {
	t.Parallel()

	known := waits(t)
	var sources []string
	names, err := fs.Glob(migrations.Files(), "*.sql")
	require.NoError(t, err)
	for _, name := range names {
		text, err := fs.ReadFile(migrations.Files(), name)
		require.NoError(t, err)
		sources = append(sources, string(text))
	}
	files, err := filepath.Glob("../store/*.go")
	require.NoError(t, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		sources = append(sources, string(text))
	}
	all := strings.Join(sources, "\n")
	reasons := regexp.MustCompile(`waiting_reason = '([a-z_]+)'|THEN '(queued)' ELSE '(after_run)'`).FindAllStringSubmatch(all, -1)
	require.Greater(t, len(reasons), 3)
	for _, m := range reasons {
		for _, key := range m[1:] {
			if key != "" {
				require.Contains(t, known, key)
			}
		}
	}
	for _, m := range regexp.MustCompile(`error_code = '([a-z_]+)'`).FindAllStringSubmatch(all, -1) {
		require.True(t, words.Known(words.Code(m[1]), ""), m[1])
	}

	pool := storetest.Pool(t)
	var def string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'integration_sync_logs_code_known'`).Scan(&def))
	var listed, codes []string
	for _, m := range regexp.MustCompile(`'([a-z_]+)'`).FindAllStringSubmatch(def, -1) {
		listed = append(listed, m[1])
	}
	for _, f := range words.Codes() {
		codes = append(codes, string(f.Code))
	}
	slices.Sort(listed)
	slices.Sort(codes)
	require.Equal(t, codes, listed)

	_, err = pool.Exec(t.Context(), `WITH i AS (INSERT INTO integrations (tenant_id, provider) VALUES (gen_random_uuid(), 'crm') RETURNING id)
		INSERT INTO integration_sync_logs (integration_id, sync_type, status, job_id) SELECT id, 'full', 'failed', 1 FROM i`)
	require.ErrorContains(t, err, "integration_sync_logs_end_said", "no run of ours fails without a cause")
	_, err = pool.Exec(t.Context(), `WITH i AS (INSERT INTO integrations (tenant_id, provider) VALUES (gen_random_uuid(), 'crm') RETURNING id)
		INSERT INTO integration_sync_logs (integration_id, sync_type, status, waiting_until) SELECT id, 'full', 'pending', now() FROM i`)
	require.ErrorContains(t, err, "integration_sync_logs_wait_said")
}
