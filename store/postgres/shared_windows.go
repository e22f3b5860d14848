package postgres

import "context"

// joinShared starts a server for this process alone: the pipe that counts a shared one's users is not to be had here.
func joinShared(ctx context.Context) (dsn string, release func(), err error) {
	s, err := Start(ctx, Options{Ephemeral: true})
	if err != nil {
		return "", nil, err
	}
	return s.URL(), func() { _ = s.Stop(context.Background()) }, nil
}
