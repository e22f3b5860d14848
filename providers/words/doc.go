// Package words is the closed table of everything enlace says to a person: the
// 30 error codes with who acts on them, and every state, reason, question and
// phrase, in English and Spanish.
//
// API, command line, dashboard and docs read it, so that one cause has one
// sentence wherever it is met. A code is the stable part and is what programs
// compare; the words behind it may be improved at any time and are never
// compared. Whoever adds a code merges two others into one: the list stays at 30.
//
// [Render] gives the words of a code; [RunState], [ConnectionState],
// [MessageState] and [CallState] choose a state from plain facts; the other
// functions give a line of their section by its key. [Export] is the same table
// as JSON for the dashboard, which formats in the viewer's own locale.
//
// A text is a template. A placeholder in braces is replaced by a value of
// [Args], a clause in square brackets is left out when a value in it is
// missing, and where a required value is missing the shortest part around it
// goes: a text may say less than it could, it never shows a placeholder.
//
// What is left to others: which error is which code (the adapters and the
// worker), where facts are stored (store), what a button does (the dashboard).
// The package imports nothing of ours and everything in it is safe for
// concurrent use.
package words
