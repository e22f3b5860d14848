// Command count reads what `go test -json` writes and prints what a person wants of it: a line for each package, all that a
// failing test said, why a test was skipped, and how many passed, failed and were skipped. It fails if a test failed, and
// if there was none.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one line of go test's output. Test is empty for what concerns the package; ImportPath is set for its build.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Elapsed    float64
	Output     string
}

// count is what has been seen so far.
type count struct {
	passed, failed, skipped int
	said                    map[string]*strings.Builder // by package and test, dropped when it passed
	failedIn                map[string]bool             // packages with a failing test
	reasons                 []string                    // of skips
}

func main() {
	ok, err := run(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) (bool, error) {
	c := &count{said: map[string]*strings.Builder{}, failedIn: map[string]bool{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			c.read(line, out)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, fmt.Errorf("read the tests' events: %w", err)
		}
	}
	if len(c.reasons) > 0 {
		fmt.Fprintf(out, "\nskipped:\n%s\n", strings.Join(c.reasons, "\n"))
	}
	fmt.Fprintf(out, "\n%d passed, %d failed, %d skipped\n", c.passed, c.failed, c.skipped)
	return c.failed == 0 && c.passed > 0, nil
}

func (c *count) read(line string, out io.Writer) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		fmt.Fprint(out, line) // not an event: shown as it is
		return
	}
	key := e.Package + e.ImportPath + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		if c.said[key] == nil {
			c.said[key] = new(strings.Builder)
		}
		c.said[key].WriteString(e.Output)
	case "build-fail":
		fmt.Fprintf(out, "--- did not build: %s\n%s", e.ImportPath, c.take(key))
	case "pass", "fail", "skip":
		c.end(e, key, out)
	}
}

// end counts a test or package that is over.
func (c *count) end(e event, key string, out io.Writer) {
	said := c.take(key)
	switch {
	case e.Test == "" && e.Action == "fail":
		if !c.failedIn[e.Package] { // it did not build, panicked outside a test, or ran out of time
			c.failed++
		}
		fmt.Fprintf(out, "FAIL %s %.1fs\n%s", e.Package, e.Elapsed, said)
	case e.Test == "" && e.Action == "pass":
		fmt.Fprintf(out, "ok   %s %.1fs\n", e.Package, e.Elapsed)
	case e.Test == "": // a package without tests
	case e.Action == "pass":
		c.passed++
	case e.Action == "fail":
		c.failed++
		c.failedIn[e.Package] = true
		fmt.Fprintf(out, "--- failed: %s %s %.1fs\n%s", e.Package, e.Test, e.Elapsed, said)
	case e.Action == "skip":
		c.skipped++
		c.reasons = append(c.reasons, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(said)))
	}
}

func (c *count) take(key string) string {
	said := c.said[key]
	delete(c.said, key)
	if said == nil {
		return ""
	}
	return said.String()
}

// reason is what a test said when it skipped itself, without go test's own lines.
func reason(said string) string {
	var kept []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 {
		return "no reason given"
	}
	return strings.Join(kept, " ")
}
