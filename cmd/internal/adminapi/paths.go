// Package adminapi holds what the server's admin API takes and answers, for the server and for the verbs that ask it.
package adminapi

// ReloadPath is the admin API's call for it.
const ReloadPath = "/api/reload"

// DevicesReloadPath is the admin API's call for it.
const DevicesReloadPath = "/api/devices/reload"
