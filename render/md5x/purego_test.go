//go:build purego

package md5x

const purego = true
