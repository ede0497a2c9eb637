//go:build !unix

package pin

import "context"

// Terminal returns an Asker that finds nobody: on this system the PIN comes from
// a file or from the environment.
func Terminal(string) Asker {
	return func(context.Context, Question) (string, error) { return "", ErrNobody }
}
