package dashboard_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/enlace/dashboard"
	"example.com/enlace/providers"
)

// budget is all that a first visit loads, compressed as a proxy sends it.
const budget = 60 << 10

func page(t *testing.T, o dashboard.Options) (files fs.FS, index string) {
	t.Helper()
	files, err := dashboard.Files(o)
	require.NoError(t, err)
	text, err := fs.ReadFile(files, "index.html")
	require.NoError(t, err)
	return files, string(text)
}

func packed(t *testing.T, content []byte) int {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Len()
}

// folder is where the page's assets are.
func folder(t *testing.T, index string) string {
	t.Helper()
	found := regexp.MustCompile(`src="(assets/[0-9a-f]{16})/app\.js"`).FindStringSubmatch(index)
	require.Len(t, found, 2, index)
	return found[1]
}

func TestThePageLoadsOnlyWhatIsHere(t *testing.T) {
	t.Parallel()

	files, index := page(t, dashboard.Options{})
	dir := folder(t, index)
	size := packed(t, []byte(index))
	seen := map[string]bool{}
	var load func(name string)
	load = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		content, err := fs.ReadFile(files, name)
		require.NoError(t, err, name)
		size += packed(t, content)
		for _, imported := range regexp.MustCompile(`from '([^']+)'`).FindAllStringSubmatch(string(content), -1) {
			if strings.HasSuffix(name, ".js") {
				load(path.Join(dir, imported[1]))
			}
		}
	}
	for _, asset := range regexp.MustCompile(`(?:src|href)="([^"#]+\.(?:js|css))"`).FindAllStringSubmatch(index, -1) {
		load(asset[1])
	}
	load(dir + "/words.es.json") // one of the two
	require.True(t, seen[dir+"/view.js"])
	require.Less(t, size, budget)
	require.NotContains(t, index, "<script>", "the page's policy allows no script in markup")
	require.NotContains(t, index, "<style", "nor a style")
	require.NotContains(t, index, "http", "nothing comes from elsewhere")

	_, err := files.Open("assets/none.js")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = files.Open("../dashboard.go")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestThePageIsToldWhatItCannotAsk(t *testing.T) {
	t.Parallel()

	_, index := page(t, dashboard.Options{Demo: true, Providers: []*providers.Provider{
		{Name: "pipedrive", Title: `Pipe"drive`, OAuth: &providers.OAuth{}}, {Name: "twilio", Title: "Twilio"},
	}})
	require.Contains(t, index, `data-demo="true"`)
	require.Contains(t, index, `data-providers="[{&#34;name&#34;:&#34;pipedrive&#34;,&#34;title&#34;:&#34;Pipe\&#34;drive&#34;}]"`)
	_, index = page(t, dashboard.Options{})
	require.Contains(t, index, `data-demo="false" data-providers="[]"`)
}

func TestTheWordsAreThoseThatThePageShows(t *testing.T) {
	t.Parallel()

	files, index := page(t, dashboard.Options{})
	keys := map[string]map[string]bool{}
	for _, lang := range []string{"en", "es"} {
		raw, err := fs.ReadFile(files, folder(t, index)+"/words."+lang+".json")
		require.NoError(t, err)
		var table map[string]map[string]struct {
			Title    string `json:"title"`
			Sentence string `json:"sentence"`
			Label    string `json:"label"`
		}
		require.NoError(t, json.Unmarshal(raw, &table))
		require.Len(t, table["codes"], 30)
		for section, rows := range table {
			keys[section] = map[string]bool{}
			for key, row := range rows {
				require.NotEmpty(t, row.Title+row.Sentence+row.Label, "%s %s %s", lang, section, key)
				keys[section][key] = true
			}
		}
	}
	asked := 0
	for _, name := range []string{"view.js", "app.js"} {
		source, err := fs.ReadFile(files, folder(t, index)+"/"+name)
		require.NoError(t, err)
		for _, found := range regexp.MustCompile(`\bline\('(\w+)', '(\w+)'`).FindAllStringSubmatch(string(source), -1) {
			require.True(t, keys[found[1]][found[2]], "%s has no %s", found[1], found[2])
			asked++
		}
		for _, found := range regexp.MustCompile(`\bcommon\('(\w+)'`).FindAllStringSubmatch(string(source), -1) {
			require.True(t, keys["common"][found[1]], "common has no %s", found[1])
			asked++
		}
		for _, found := range regexp.MustCompile(`\bcode\('(\w+)'`).FindAllStringSubmatch(string(source), -1) {
			require.True(t, keys["codes"][found[1]], "codes has no %s", found[1])
			asked++
		}
	}
	require.Greater(t, asked, 30)
}

// UI.md §2: the tokens are taken as they are.
func TestTheTokensAreTheDesigns(t *testing.T) {
	t.Parallel()

	want, err := os.ReadFile("../../shared/ui/tokens.css")
	if err != nil {
		t.Skip("the shared design is not here")
	}
	files, index := page(t, dashboard.Options{})
	got, err := fs.ReadFile(files, folder(t, index)+"/tokens.css")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}
