package sandbox

import (
	"fmt"
	"strings"
)

// zohoScopes are the scopes that a consent may ask for. A grant holds them as
// bits, so that tokens carry them; new ones are appended.
var zohoScopes = []string{
	"ZohoCRM.modules.contacts.READ", "ZohoCRM.modules.contacts.ALL", "ZohoCRM.modules.READ", "ZohoCRM.modules.ALL",
	"ZohoCRM.org.READ", "ZohoCRM.org.ALL", "ZohoCRM.users.READ", "ZohoCRM.users.ALL",
	"ZohoCRM.coql.READ", "ZohoCRM.bulk.READ", "ZohoCRM.bulk.ALL",
	"ZohoCRM.notifications.READ", "ZohoCRM.notifications.ALL",
	"ZohoCRM.settings.fields.READ", "ZohoCRM.settings.fields.ALL", "ZohoCRM.settings.ALL",
	"ZohoCRM.notifications.CREATE", "ZohoCRM.notifications.UPDATE", "ZohoCRM.notifications.DELETE", "AaaServer.profile.READ",
}

// scopeSet has a bit for each of zohoScopes.
type scopeSet uint32

func parseScopes(text string) (scopeSet, error) {
	var set scopeSet
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		bit := scopeSet(0)
		for i, known := range zohoScopes {
			if strings.EqualFold(known, name) {
				bit = 1 << i
			}
		}
		if bit == 0 {
			return 0, fmt.Errorf("scope %q does not exist", name)
		}
		set |= bit
	}
	if set == 0 {
		return 0, fmt.Errorf("scope %q names none", text)
	}
	return set, nil
}

// String lists the scopes as a token answer does, separated by spaces.
func (s scopeSet) String() string {
	var names []string
	for i, name := range zohoScopes {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// What calls need: one scope of each list. COQL needs its own scope and that of
// the module. [spec31] [seen]
var (
	needContacts = [][]string{{"ZohoCRM.modules.contacts.READ", "ZohoCRM.modules.contacts.ALL", "ZohoCRM.modules.READ", "ZohoCRM.modules.ALL"}}
	needCOQL     = append([][]string{{"ZohoCRM.coql.READ"}}, needContacts...)
	needBulk     = append([][]string{{"ZohoCRM.bulk.READ", "ZohoCRM.bulk.ALL"}}, needContacts...)
	needOrg      = [][]string{{"ZohoCRM.org.READ", "ZohoCRM.org.ALL"}}
	needUsers    = [][]string{{"ZohoCRM.users.READ", "ZohoCRM.users.ALL"}}
	needFields   = [][]string{{"ZohoCRM.settings.fields.READ", "ZohoCRM.settings.fields.ALL", "ZohoCRM.settings.ALL"}}
)

// needChannels is what a call to the notification channels needs besides ALL.
func needChannels(operation string) [][]string {
	return [][]string{{"ZohoCRM.notifications.ALL", "ZohoCRM.notifications." + operation}}
}

func scopesCover(granted scopeSet, needed [][]string) bool {
	for _, oneOf := range needed {
		covered := false
		for _, name := range oneOf {
			set, err := parseScopes(name)
			covered = covered || err == nil && granted&set != 0
		}
		if !covered {
			return false
		}
	}
	return true
}
