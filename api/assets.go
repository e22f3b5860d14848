package api

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// assetAge is how long a browser keeps an asset, whose name changes with its content.
const assetAge = "public, max-age=31536000, immutable"

// mountDashboard mounts the page at / and what it loads. They hold nothing of anybody: they are open.
func (s *Server) mountDashboard() error {
	return s.mountRoutes(
		route{method: http.MethodGet, path: "/{$}", access: accessOpen, handler: http.HandlerFunc(s.index)},
		route{method: http.MethodGet, path: "/assets/", access: accessOpen, handler: http.HandlerFunc(s.asset)},
	)
}

func (s *Server) index(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	if s.opts.Dashboard == nil {
		s.reply(w, http.StatusOK, map[string]string{"name": "enlace", "docs": s.publicURL.String() + "/docs"})
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'")
	http.ServeFileFS(w, r, s.opts.Dashboard, "index.html")
}

func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if s.opts.Dashboard == nil {
		s.fail(w, r, &fault{code: codeNotFound})
		return
	}
	info, err := fs.Stat(s.opts.Dashboard, name)
	if err != nil || info.IsDir() {
		s.fail(w, r, &fault{code: codeNotFound, err: err})
		return
	}
	w.Header().Set("Cache-Control", assetAge)
	http.ServeFileFS(w, r, s.opts.Dashboard, name) //nolint:gosec // an fs.FS has nothing above it
}

// mountSandbox mounts the providers' stand-ins, which only dev has, for whoever sits at this machine.
func (s *Server) mountSandbox() error {
	if s.opts.Sandbox == nil {
		return nil
	}
	return s.mount(route{path: "/sandbox/", access: accessLoopback, lasting: true, handler: s.opts.Sandbox})
}
