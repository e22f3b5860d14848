// Package postgres finds or starts a PostgreSQL for people who have none running: [Start] gives `enlace dev` a private
// server whose data is kept between runs, [Shared] gives the tests of all packages one throwaway server.
//
// It needs no more than the programs initdb and postgres, looks for them where systems keep them, and downloads them
// where it finds none. Started as root it runs them as another account, since PostgreSQL refuses root. A server listens
// on 127.0.0.1 alone, asks for a password, and ends with the process that started it, also when that process is killed.
//
// It leaves to others what is in the database: migrations, pools and queries.
package postgres
