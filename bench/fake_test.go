package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const pageSize = 500

// fake is the address of a process that serves persons in pages that were rendered before, so that it costs almost
// nothing while a client is timed, and none of the client's memory.
type fake struct{ URL string }

// newFake serves total persons, about 840 bytes each, after so much delay. version changes a tenth of them.
func newFake(b *testing.B, total, version int, delay time.Duration) *fake {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", fakeVariable, total, version, delay))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
	return &fake{URL: strings.TrimSpace(line)}
}

const fakeVariable = "ENLACE_BENCH_FAKE"

// TestMain lets the binary be the fake.
func TestMain(m *testing.M) {
	if spec := os.Getenv(fakeVariable); spec != "" {
		var total, version int
		var text string
		if _, err := fmt.Sscan(spec, &total, &version, &text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		delay, _ := time.ParseDuration(text)
		serveFake(total, version, delay)
	}
	os.Exit(m.Run())
}

// serveFake serves until it is killed.
func serveFake(total, version int, delay time.Duration) {
	var pages [][]byte
	for from := 1; from <= total; from += pageSize {
		pages = append(pages, renderPage(from, min(from+pageSize, total+1), total, version))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v2/persons", func(w http.ResponseWriter, r *http.Request) {
		n := 0
		if c := r.URL.Query().Get("cursor"); c != "" {
			n, _ = strconv.Atoi(c)
		}
		if n < 0 || n >= len(pages) {
			http.Error(w, "bad cursor", http.StatusBadRequest)
			return
		}
		if delay > 0 {
			<-time.After(delay)
		}
		h := w.Header()
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(pages[n])))
		h.Set("x-ratelimit-limit", "480")
		h.Set("x-ratelimit-remaining", "479")
		h.Set("x-ratelimit-reset", "2")
		_, _ = w.Write(pages[n])
	})
	fmt.Println(httptest.NewServer(mux).URL)
	select {}
}

func renderPage(from, to, total, version int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"success":true,"data":[`)
	for id := from; id < to; id++ {
		if id > from {
			b.WriteByte(',')
		}
		renderPerson(&b, id, version)
	}
	b.WriteString(`],"additional_data":{"next_cursor":`)
	if to <= total {
		fmt.Fprintf(&b, `"%d"`, (to-1)/pageSize)
	} else {
		b.WriteString("null")
	}
	b.WriteString("}}")
	return b.Bytes()
}

func renderPerson(b *bytes.Buffer, id, version int) {
	first := []string{"Lucía", "Mateo", "Sofía", "Martín", "Valentina", "Hugo", "Camila", "Zoë"}[id%8]
	last := []string{"García", "Fernández", "Muñoz", "Peña", "O'Neill", "Süß", "Ibáñez"}[id%7]
	added := time.Date(2023, 1, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(id) * time.Minute)
	if version > 0 && id%10 == 7 {
		last = fmt.Sprintf("%s %d", last, version)
	}
	name, _ := json.Marshal(first + " " + last)
	fmt.Fprintf(b, `{"id":%d,"name":%s,"first_name":%q,"last_name":%q,"owner_id":%d,"org_id":%d,"add_time":"%s","update_time":"%s",`+
		`"emails":[{"value":"persona.%06d@cliente-%d.example","primary":true,"label":"work"}],`+
		`"phones":[{"value":"+34 6%02d %03d %03d","primary":true,"label":"mobile"}],"is_deleted":false,"visible_to":3,"label_ids":[%d],`+
		`"picture_id":null,"postal_address":{"value":"Calle Mayor %d, 28013 Madrid, España","country":"España","locality":"Madrid"},"notes":null,`+
		`"im":[],"birthday":"1984-03-09","job_title":"Compras","custom_fields":{`+
		`"1f0c7a5e9b3d4c2a8e6f7b1d0a9c8e7f6d5b4a31":"Comercial Peninsular de Suministros, S.L.","2a1d8b6f0c4e5d3b9f7a8c2e1b0d9f8a7e6c5b42":%d,`+
		`"3b2e9c7a1d5f6e4c0a8b9d3f2c1e0a9b8f7d6c53":null}}`,
		id, name, first, last, 1000+id%25, id%5000, added.Format(time.RFC3339), added.Add(36*time.Hour).Format(time.RFC3339),
		id, id%5000, id%100, id%1000, (id*7)%1000, id%4, id%200, id%9)
}
