package plugin

import (
	"slices"
	"strings"
)

// withheld are variables that hold credentials for registries, or for the
// service that runs this program, or the way to them. A plugin needs none of
// these; those of key services it needs and gets. See
// docs/decisions/plugin-environment.md.
var withheld = []string{
	"REGISTRY_AUTH_FILE", "REGISTRY_AUTH", "HELM_REGISTRY_CONFIG", "COSIGN_PASSWORD",
	"GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "ACTIONS_RUNTIME_TOKEN",
	"GITLAB_TOKEN", "CI_JOB_TOKEN", "CI_DEPLOY_PASSWORD", "CI_DEPENDENCY_PROXY_PASSWORD",
	"SYSTEM_ACCESSTOKEN", "BITBUCKET_TOKEN", "NPM_TOKEN",
}

// secretWords mark a variable of a registry, or of this program, as secret.
var secretWords = []string{"USER", "PASS", "TOKEN", "SECRET", "AUTH", "CREDENTIAL", "KEY"}

// pinVariable holds the PIN of a token for the plugin that talks to it, and is
// the business of no other.
const (
	pinVariable = "NOTATION_PKCS11_PIN"
	pinPlugin   = "pkcs11"
)

// environment returns env without the variables that hold credentials which
// are not the business of the plugin of that name.
func environment(env []string, plugin string) []string {
	kept := make([]string, 0, len(env))
	for _, entry := range env {
		name, _, ok := strings.Cut(entry, "=")
		name = strings.ToUpper(name) // names ignore case on Windows
		if ok && !isWithheld(name) && (name != pinVariable || plugin == pinPlugin) {
			kept = append(kept, entry)
		}
	}
	return kept
}

func isWithheld(name string) bool {
	if slices.Contains(withheld, name) || strings.HasPrefix(name, "DOCKER_") {
		return true
	}
	if !strings.HasPrefix(name, "NOTATION_") && !strings.Contains(name, "REGISTRY_") {
		return false
	}
	return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}
