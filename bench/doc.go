// Package bench measures enlace against what the same machine can do without it: the same pages, decoded and stored by a
// bare loop. `make bench` runs it. A figure is only worth its ratio to the floor of the same run.
package bench
