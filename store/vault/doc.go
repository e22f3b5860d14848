// Package vault keeps the tokens of connected accounts. It seals them at rest, renews them so that each refresh token is
// exchanged once, however many processes want it at the same moment, and is the transport behind the HTTP clients that
// adapters use: they never see a token. What a token host's answer means is the provider's business, in package
// providers; what a run does when a token can't be had is the engine's.
package vault
