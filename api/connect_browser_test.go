package api_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/enlace/api"
	status "example.com/enlace/dashboard"
	"example.com/enlace/providers/sandbox"
	"example.com/enlace/store"
	"example.com/enlace/store/storetest"
)

// screen is a page of a real browser.
type screen struct {
	ctx context.Context //nolint:containedctx // chromedp's pages are contexts
	t   *testing.T
}

// newScreen opens a browser; the test is skipped where there is none.
func newScreen(t *testing.T) screen {
	t.Helper()
	found := false
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell", "chrome"} {
		_, err := exec.LookPath(name)
		found = found || err == nil
	}
	if !found {
		if os.Getenv("CI") != "" {
			require.Fail(t, "the page is tested in a browser: install chromium")
		}
		t.Skip("no chromium on PATH: the page is not tested in a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("accept-lang", "es-MX,es"))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx), "start the browser") // without a limit, which would end the browser
	limited, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return screen{limited, t}
}

func (s screen) do(steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	require.NoError(s.t, chromedp.Do(s.ctx, steps...))
}

// until waits for a JavaScript expression to be true, on whatever page that comes.
func (s screen) until(claim string) {
	s.t.Helper()
	holds := func() bool {
		ok, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool]("Boolean("+claim+")"))
		return err == nil && ok // the page may just be leaving
	}
	for deadline := time.Now().Add(30 * time.Second); !holds(); {
		if s.ctx.Err() != nil || time.Now().After(deadline) {
			shown, _ := chromedp.Run(s.ctx, chromedp.Evaluate[string]("location.href + ' ' + document.activeElement.outerHTML.slice(0, 200) + ' ' + document.body.innerText"))
			require.Fail(s.t, "this doesn't come true: "+claim, shown)
		}
		select {
		case <-s.ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// shown waits for an element.
func (s screen) shown(selector string) {
	s.t.Helper()
	s.until(fmt.Sprintf("document.querySelector(%q)?.checkVisibility()", selector))
}

// click presses a button as a person does: where it is, once it is there.
func (s screen) click(selector string) {
	s.t.Helper()
	s.shown(selector)
	_, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool](fmt.Sprintf("document.querySelector(%q).click() ?? true", selector)))
	require.NoError(s.t, err, selector)
}

func (s screen) text(selector string) string {
	s.t.Helper()
	text, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector)))
	require.NoError(s.t, err)
	return strings.Join(strings.Fields(text), " ")
}

func (s screen) number(expression string) float64 {
	s.t.Helper()
	n, err := chromedp.Run(s.ctx, chromedp.Evaluate[float64](expression))
	require.NoError(s.t, err)
	return n
}

// picture keeps a screenshot in the folder of ENLACE_SCREENSHOTS, if that is set.
func (s screen) picture(name string) {
	s.t.Helper()
	dir := os.Getenv("ENLACE_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(s.ctx, chromedp.FullScreenshot(100))
	require.NoError(s.t, err)
	require.NoError(s.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

// pictures keeps the page in both themes and at both widths, and checks that nothing runs over its edge.
func (s screen) pictures(name string) {
	s.t.Helper()
	for _, width := range []int64{1280, 768, 360, 320} {
		s.do(chromedp.EmulateViewport(width, 900))
		for _, theme := range []string{"dark", "light"} {
			media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
			_, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, media)
			require.NoError(s.t, err)
			s.until(fmt.Sprintf("document.documentElement.dataset.theme === %q", theme))
			if width == 1280 || width == 360 {
				s.picture(fmt.Sprintf("%s-%d-%s", name, width, theme))
			}
		}
		require.LessOrEqual(s.t, s.number("document.documentElement.scrollWidth"), float64(width), "%s at %d", name, width)
	}
	s.do(chromedp.EmulateViewport(1280, 900))
}

func TestThePageInABrowser(t *testing.T) {
	t.Parallel()

	page := newScreen(t)
	demo := uuid.New()
	w := newConnectWorld(t, func(o *api.Options) {
		files, err := status.Files(status.Options{Demo: true, Providers: o.Providers})
		require.NoError(t, err)
		o.Dashboard, o.DashboardURL, o.Dev, o.DemoTenant = files, "", true, demo.String()
	})
	require.NoError(t, w.server.Start(t.Context()))
	t.Cleanup(w.server.Close)
	require.NoError(t, w.worker.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, w.worker.Stop(context.Background())) })
	require.NoError(t, w.fake.SetContacts(sandbox.DefaultCompany, 1200))
	require.NoError(t, w.fake.Configure(func(s *sandbox.PipedriveSettings) { s.AutoConsent, s.PageLimit, s.LatencyMS = false, 40, 150 }))
	complaints := page.listen()

	// Coming in.
	page.do(chromedp.Navigate(w.base + "/"))
	page.shown(`[data-act="demo"]`)
	require.Equal(t, "Entrar como administrador de ejemplo", page.text(`[data-act="demo"]`))
	page.pictures("sign-in")
	page.do(chromedp.Navigate(w.base + "/?enlace_result=denied&provider=pipedrive"))
	page.shown(`.door [data-result="denied"]`)
	require.Equal(t, "Pipedrive no se conectó No diste el permiso. Nada cambió.", page.text(".landed"), "who isn't signed in is told as well")
	page.pictures("landed-at-the-door")
	page.do(chromedp.Navigate(w.base + "/"))
	page.do(chromedp.SetValue("#key", "enlace_wrong"))
	page.click("form .btn")
	page.shown("#door-error")
	require.Equal(t, "Tu sesión terminó o la clave no es válida.", page.text("#door-error"))
	page.click(`[data-act="demo"]`)
	page.shown(".empty")
	page.until(`document.activeElement.tagName === "H1"`)
	require.Contains(t, page.text(".empty"), "Trae tus contactos Conecta un CRM.")
	page.pictures("empty")

	// Connecting.
	page.click(`.empty [data-act="connect"]`)
	page.shown("button.allow")
	page.click("button.allow")
	page.shown(`[data-result="connected"]`)
	page.until("location.search === ''")
	require.Contains(t, page.text(".landing"), "Pipedrive está conectada: Nordlicht GmbH")
	require.Contains(t, page.text(".landing .badge"), "Conectada")
	page.until(`document.activeElement.dataset.act === "sync"`)
	page.until(`document.querySelector(".mark-live.live") !== null`)
	page.pictures("connected")

	// A first sync: nobody knows how many there are.
	page.click(`.landing [data-act="sync"]`)
	page.shown(".card .bar.unknown")
	page.until(`document.querySelector('[role="progressbar"] b').textContent !== "0"`)
	require.Contains(t, page.text(".card"), "total aún no conocido")
	require.NotContains(t, page.text(".card"), "%")
	page.pictures("first-sync")
	page.until(`document.querySelector(".facts")?.innerText.includes("1,200\n")`)
	require.Contains(t, page.text(".facts"), "Contactos 1,200 Última sincronización hace un momento · 1,200 cambios")
	require.Contains(t, page.text("#runs"), "Terminada")
	page.pictures("finished")

	// A full sync beside an earlier count, cancelled after asking.
	page.click(".menu summary")
	page.shown(`[data-act="full"]`)
	page.picture("menu")
	page.click(`[data-act="full"]`)
	page.shown("dialog")
	require.Equal(t, "¿Sincronizar todo de nuevo? Solo se escribe lo que cambió; nada se duplica. Ahora no Solo cambios Sincronizar todo", page.text("dialog"))
	page.until(`document.activeElement.textContent === "Ahora no"`)
	page.pictures("question")
	page.click(`dialog [value="2"]`)
	page.shown(`.card [role="progressbar"]`)
	page.until(`document.querySelector('[role="progressbar"] .top').textContent.includes("erca de 1,200")`)
	page.until(`parseFloat(getComputedStyle(document.querySelector(".bar i")).width) > 20`)
	page.picture("full-sync")
	page.click(`[data-act="cancel"]`)
	page.shown("dialog")
	page.click(`dialog [value="1"]`)
	page.until(`document.querySelector("#runs").innerText.includes("Cancelada")`)

	// What needs a person.
	id := connectRow[uuid.UUID](t, w, `SELECT id FROM integrations`)
	_, err := w.pool.Exec(t.Context(), `UPDATE integrations SET status = 'needs_reauth' WHERE id = $1`, id)
	require.NoError(t, err)
	for _, code := range []string{store.NeedsReauth, "drift", "misconfigured"} {
		storetest.OpenIncident(t, w.store, demo, id, code)
	}
	page.until(`document.querySelector(".badge.act") !== null && document.querySelector(".banner") !== null`)
	require.Contains(t, page.text(".banner"), "Hay que revisar nuestra configuración Nordlicht GmbH, desde la", "the worst that the card doesn't say")
	require.Contains(t, page.text(".banner"), "y 1 más")
	require.Contains(t, page.text(".card"), "Reconecta Pipedrive Pipedrive ya no acepta el permiso dado para Nordlicht GmbH.")
	require.Contains(t, page.text(".head"), "1 te necesita")
	page.pictures("needs-you")
	page.click(`footer [data-act="reconnect"]`)
	page.shown("button.allow")
	page.click("button.allow")
	page.shown(`[data-result="reconnected"]`)
	page.until(`document.querySelector(".banner").innerText.includes("Las cantidades no coinciden")`) // which a stored page doesn't end

	// Without the stream, it asks every five seconds.
	_, err = chromedp.Call(page.ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/v1/events", Block: true}}})
	require.NoError(t, err)
	page.do(chromedp.Navigate(w.base + "/"))
	page.shown(".side .mark-live.polling")
	page.click(".menu summary")
	page.click(`[data-act="pause"]`)
	page.click(`dialog [value="1"]`)
	page.until(`document.querySelector('[data-state="paused"]') !== null`)
	_, err = w.pool.Exec(t.Context(), `UPDATE integrations SET is_active = true WHERE id = $1`, id)
	require.NoError(t, err)
	page.until(`document.querySelector('[data-state="connected"]') !== null`)
	_, err = chromedp.Call(page.ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{})
	require.NoError(t, err)
	page.shown(".side .mark-live.live")

	// In English, and out.
	page.click(`.side [data-act="language"]`)
	page.until(`document.querySelector("h1")?.textContent === "Integrations"`)
	page.until(`document.querySelector(".facts, .prog") !== null`)
	page.pictures("english")
	page.do(chromedp.Navigate(w.base + "/?enlace_result=denied&provider=pipedrive"))
	page.shown(`[data-result="denied"]`)
	require.Contains(t, page.text(".landing"), "Pipedrive was not connected")
	w.sandbox.CloseClientConnections()
	w.sandbox.Close() // nobody is there who could take the permission back
	page.click(".menu summary")
	page.click(`[data-act="disconnect"]`)
	page.shown("dialog")
	page.click(`dialog [value="1"]`)
	page.until(`document.querySelector('[data-state="disconnected"]') !== null`)
	require.Equal(t, "Pipedrive did not take our permission back. You can remove it there, among your installed apps.", page.text(".toast .grow"))
	require.Equal(t, store.Disconnected, connectRow[string](t, w, `SELECT status FROM integrations`))
	page.click(`.side [data-act="sign-out"]`)
	page.shown(`[data-act="demo"]`)
	require.Empty(t, complaints())
}

// listen collects what scripts of the page didn't catch, and what its policy has stopped.
func (s screen) listen() (complaints func() []string) {
	var (
		mu   sync.Mutex
		list []string
	)
	go func() {
		for m, err := range chromedp.Console(s.ctx) {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleException || m.Source == "security" {
				mu.Lock()
				list = append(list, m.Text)
				mu.Unlock()
			}
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return list
	}
}
