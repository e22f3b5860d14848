package api

// mountConnect mounts the way through a provider's consent.
func (s *Server) mountConnect() error { return s.mountRoutes() }
