package api

import (
	"example.com/enlace/providers/words"
	"example.com/enlace/store"
)

// reservePercent is the part of a day's budget that scheduled work leaves to others.
const reservePercent = 20.0

// waitArgs adds the numbers that the sentence of a waiting run names.
func waitArgs(args *words.Args, r store.Run) {
	switch value(r.WaitingReason) {
	case words.WaitBackoff:
		args.Count = words.Num(r.FailuresInRow + 1) // the try that comes
	case words.WaitReserve:
		percent := reservePercent
		args.Percent = &percent
	}
}
