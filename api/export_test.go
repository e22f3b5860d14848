package api

import (
	"net/http"
	"time"
)

// RouteInfo is a route as the tests of access see it.
type RouteInfo struct{ Method, Path, Access string }

// Routes lists everything that the server answers.
func (s *Server) Routes() []RouteInfo {
	list := make([]RouteInfo, 0, len(s.routes))
	for _, r := range s.routes {
		list = append(list, RouteInfo{r.method, r.path, r.access.String()})
	}
	return list
}

// MountOpen mounts a handler for anybody, and MountUnruled tries to mount one without an access rule.
func (s *Server) MountOpen(path string, h http.Handler) error {
	return s.mount(route{path: path, access: accessOpen, handler: h})
}

// MountUnruled tries to mount a handler without an access rule.
func (s *Server) MountUnruled(path string, h http.Handler) error {
	return s.mount(route{path: path, handler: h})
}

// CodeOf is the code that a caller is told of an error of the layers below.
func CodeOf(err error) string { return string(faultOf(err).code) }

// VariantOf is the more exact case of that code.
func VariantOf(err error) string { return faultOf(err).variant }

// SetHeartbeat paces event streams that are yet to be opened.
func (s *Server) SetHeartbeat(pace time.Duration) { s.feed.heartbeat = pace }

// SetRoom bounds what notifications take of memory, before any has come.
func (s *Server) SetRoom(most int64) { s.room = newRoom(most) }
