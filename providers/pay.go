package providers

import "context"

// Payer is asked before each call of an API, at the price that the adapter knows of it ([Usage.Spent]; 0: the provider
// counts none). Its error is returned in the call's place, and nothing is sent. Safe for concurrent use.
type Payer interface {
	Pay(ctx context.Context, price int64) error
}

type payerKey struct{}

// WithPayer makes p pay for the calls that are made under the context.
func WithPayer(ctx context.Context, p Payer) context.Context {
	return context.WithValue(ctx, payerKey{}, p)
}

// pay asks whoever pays, if anybody does.
func pay(ctx context.Context, price int64) error {
	if p, ok := ctx.Value(payerKey{}).(Payer); ok {
		return p.Pay(ctx, price)
	}
	return nil
}
