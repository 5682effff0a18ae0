// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package users

import "strings"

// djangoSample is how many users show what their hashes cost.
const djangoSample = 256

// What Django's own tables are asked, in PostgreSQL's words. It has no other
// parameter than the one that stands in each.
const (
	djangoFields = "SELECT id, username, is_active, is_staff, is_superuser, email, first_name, last_name, last_login, date_joined"

	djangoVerify = djangoFields + ", password FROM auth_user WHERE username = $1"
	djangoLoad   = djangoFields + " FROM auth_user WHERE id = $1"

	// djangoHashes are those of the newest users: what a hash costs that is made
	// today.
	djangoHashes = "SELECT username, password FROM auth_user ORDER BY id DESC LIMIT 256"

	// djangoPermissions and djangoAll are what get_all_permissions() returns.
	djangoPermissions = "SELECT t.app_label, p.codename FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id" +
		" WHERE p.id IN (SELECT up.permission_id FROM auth_user_user_permissions up WHERE up.user_id = $1)" +
		" OR p.id IN (SELECT gp.permission_id FROM auth_group_permissions gp JOIN auth_user_groups ug ON ug.group_id = gp.group_id WHERE ug.user_id = $1)"
	djangoAll = "SELECT t.app_label, p.codename FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id"
)

// statements are what a store asks.
type statements struct {
	verify, load query

	// Of Django alone; without them the permissions are a column.
	permissions query
	all         string
	hashes      string
}

func djangoStatements(d dialect) statements {
	return statements{
		verify:      inDialect(djangoVerify, d),
		load:        inDialect(djangoLoad, d),
		permissions: inDialect(djangoPermissions, d),
		all:         djangoAll,
		hashes:      djangoHashes,
	}
}

func inDialect(text string, d dialect) query {
	if d == postgresql {
		return query{text: text, args: 1}
	}
	return query{text: strings.ReplaceAll(text, "$1", "?"), args: strings.Count(text, "$1")}
}
