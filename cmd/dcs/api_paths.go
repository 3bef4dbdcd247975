package main

// reloadPath is the admin API's call for it.
const reloadPath = "/api/reload"

// devicesReloadPath is the admin API's call for it.
const devicesReloadPath = "/api/devices/reload"
