package main_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// These tests read the files by which enlace is deployed, since no container engine is needed to develop it.

type compose struct {
	Services map[string]service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

type service struct {
	Image           string                `yaml:"image"`
	Command         []string              `yaml:"command"`
	EnvFile         string                `yaml:"env_file"`
	Environment     map[string]string     `yaml:"environment"`
	Ports           []string              `yaml:"ports"`
	Volumes         []string              `yaml:"volumes"`
	Restart         string                `yaml:"restart"`
	StopGracePeriod time.Duration         `yaml:"stop_grace_period"`
	ReadOnly        bool                  `yaml:"read_only"`
	DependsOn       map[string]dependency `yaml:"depends_on"`
	Deploy          struct {
		Replicas int `yaml:"replicas"`
	} `yaml:"deploy"`
	Healthcheck struct {
		Test    []string `yaml:"test"`
		Disable bool     `yaml:"disable"`
	} `yaml:"healthcheck"`
}

type dependency struct {
	Condition string `yaml:"condition"`
}

func rootFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", name))
	require.NoError(t, err)
	return string(b)
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	require.NoError(t, yaml.Unmarshal([]byte(rootFile(t, "docker-compose.yml")), &c))
	return c
}

// sources is the text of this command.
func sources(t *testing.T) string {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var all strings.Builder
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		all.Write(b)
	}
	return all.String()
}

// matches returns the first group of every match, each once, sorted.
func matches(pattern, text string) []string {
	var found []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func subcommands(t *testing.T) []string {
	t.Helper()
	return matches(`Use:\s+"(\w+)`, sources(t))
}

func TestComposeRunsAPIAndTwoWorkersAfterTheMigration(t *testing.T) {
	t.Parallel()

	c := readCompose(t)
	commands := subcommands(t)
	for name, replicas := range map[string]int{"migrate": 0, "api": 0, "worker": 2} {
		s, ok := c.Services[name]
		require.True(t, ok, name)
		require.Equal(t, []string{name}, s.Command)
		require.Contains(t, commands, name, "it is no subcommand of enlace")
		require.Equal(t, replicas, s.Deploy.Replicas, name)
		require.Equal(t, ".env", s.EnvFile, name)
		require.Equal(t, "service_healthy", s.DependsOn["postgres"].Condition, name)
		require.True(t, s.ReadOnly, name)
		require.Greater(t, s.StopGracePeriod, 10*time.Second, "%s: enlace's own stop takes as long", name)
		require.Equal(t, "0.0.0.0:8080", s.Environment["LISTEN_ADDR"], name)
		require.Contains(t, s.Environment["DATABASE_URL"], "@postgres:5432/", name)
	}
	for _, name := range []string{"api", "worker"} {
		s := c.Services[name]
		require.Equal(t, "service_completed_successfully", s.DependsOn["migrate"].Condition, name)
		require.Equal(t, []string{"CMD", "enlace", "health"}, s.Healthcheck.Test, name)
		require.Equal(t, "unless-stopped", s.Restart, name)
	}
	require.Equal(t, "no", c.Services["migrate"].Restart, "it runs once")
	require.True(t, c.Services["migrate"].Healthcheck.Disable, "it does not listen")
	require.Contains(t, commands, "health")
}

func TestComposeKeepsPostgresToItself(t *testing.T) {
	t.Parallel()

	c := readCompose(t)
	postgres := c.Services["postgres"]
	require.Regexp(t, `^postgres:(1[6-9]|[2-9]\d)\.\d+`, postgres.Image, "a version is named")
	require.Empty(t, postgres.Ports)
	require.NotEmpty(t, postgres.Healthcheck.Test)
	require.Equal(t, []string{"postgres:/var/lib/postgresql/data"}, postgres.Volumes)
	require.Contains(t, c.Volumes, "postgres")
	require.Equal(t, "unless-stopped", postgres.Restart)
	require.Greater(t, postgres.StopGracePeriod, 10*time.Second)
	for name, s := range c.Services {
		for _, port := range s.Ports {
			require.Equal(t, "api", name)
			published := regexp.MustCompile(`^\$\{ENLACE_PUBLISH:-(.+)\}:8080$`).FindStringSubmatch(port)
			require.Len(t, published, 2, port)
			host, _, err := net.SplitHostPort(published[1])
			require.NoError(t, err)
			require.True(t, net.ParseIP(host).IsLoopback(), port)
		}
	}
}

func TestImageIsOneStaticBinaryWithoutRoot(t *testing.T) {
	t.Parallel()

	instructions := map[string][]string{}
	for line := range strings.Lines(strings.ReplaceAll(rootFile(t, "Dockerfile"), "\\\n", "")) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		instructions[word] = append(instructions[word], rest)
	}
	from := instructions["FROM"]
	require.Len(t, from, 2)
	require.Equal(t, "scratch", from[1])
	built := strings.Join(instructions["RUN"], "\n")
	require.Contains(t, built, "CGO_ENABLED=0 go build -trimpath")
	require.Contains(t, built, "./cmd/enlace")
	require.Len(t, instructions["USER"], 1)
	require.Regexp(t, `^[1-9]\d*:[1-9]\d*$`, instructions["USER"][0])
	require.Equal(t, []string{`["enlace"]`}, instructions["ENTRYPOINT"])
	require.Equal(t, []string{`["serve"]`}, instructions["CMD"])
	require.Contains(t, subcommands(t), "serve")
	require.Len(t, instructions["HEALTHCHECK"], 1)
	require.Contains(t, instructions["HEALTHCHECK"][0], `CMD ["enlace", "health"]`)

	goDirective := matches(`(?m)^go (\d+\.\d+)`, rootFile(t, "go.mod"))
	require.Len(t, goDirective, 1)
	require.True(t, strings.HasPrefix(from[0], "golang:"+goDirective[0]), "the image builds with the Go of go.mod")
}

func TestEnvExampleNamesEveryVariable(t *testing.T) {
	t.Parallel()

	read := matches(`envconfig:"([A-Z][A-Z0-9_]+)"`, sources(t))
	require.Contains(t, read, "DATABASE_URL", "the pattern finds the settings")
	// Not enlace's settings: docker-compose.yml's, and those of store/postgres.
	besides := matches(`\$\{([A-Z_]+)`, rootFile(t, "docker-compose.yml"))
	besides = append(besides, "ENLACE_PG_BIN", "ENLACE_TEST_DATABASE_URL")

	wanted := slices.Concat(read, besides)
	slices.Sort(wanted)
	require.Equal(t, slices.Compact(wanted), matches(`(?m)^([A-Z][A-Z0-9_]*)=`, rootFile(t, ".env.example")))
}

func TestEnvExampleExplainsEachVariableAndHoldsNoSecret(t *testing.T) {
	t.Parallel()

	lines := strings.Split(rootFile(t, ".env.example"), "\n")
	secret := regexp.MustCompile(`SECRET|PASSWORD|TOKEN|KEY|DATABASE`)
	for i, line := range lines {
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		require.Regexp(t, `^# .+; .+`, lines[i-1], "%s: what it looks like; where to get it", name)
		if secret.MatchString(name) {
			require.Empty(t, value, name)
		}
	}
}

func TestDeploymentFilesBakeInNoSecret(t *testing.T) {
	t.Parallel()

	for name, s := range readCompose(t).Services {
		for variable, value := range s.Environment {
			if strings.Contains(variable, "PASSWORD") || strings.Contains(value, "://") {
				require.Contains(t, value, "${POSTGRES_PASSWORD:?", "%s: %s", name, variable)
			}
		}
	}
	require.NotRegexp(t, `(SECRET|PASSWORD|TOKEN|_KEY)`, rootFile(t, "Dockerfile"))
	ignored := strings.Split(rootFile(t, ".dockerignore"), "\n")
	require.Contains(t, ignored, ".env", "the settings never enter the image")
	require.Contains(t, strings.Split(rootFile(t, ".gitignore"), "\n"), ".env")
}
