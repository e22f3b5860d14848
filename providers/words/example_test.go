package words_test

import (
	"fmt"
	"time"

	"example.com/enlace/providers/words"
)

func ExampleRender() {
	now := time.Date(2026, 11, 25, 14, 0, 0, 0, time.UTC)
	text := words.Render(words.Pick("es-MX,es;q=0.9"), words.RateLimited, "", words.Args{
		Now: now, Zone: time.UTC, Provider: "Pipedrive", At: now.Add(5 * time.Minute),
	})
	fmt.Println(text.Title)
	fmt.Println(text.Sentence)
	// Output:
	// Esperando a Pipedrive
	// Pipedrive nos pidió ir más despacio. Seguimos a las 14:05, desde donde vamos.
}
