// Package adminapi holds what the server's admin API takes and answers, for the server and for the verbs that ask it.
package adminapi

// ReloadPath is the call that reloads the library.
const ReloadPath = "/api/reload"

// DevicesReloadPath is the call that reloads device sources.
const DevicesReloadPath = "/api/devices/reload"
