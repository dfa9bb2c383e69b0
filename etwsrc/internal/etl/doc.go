// Package etl reads ETW trace files (.etl) on any operating system.
//
//	file = buffer, buffer, ...          one per CPU and moment, in the order of writing
//	buffer = header of 72 bytes, records  (the records may be compressed)
//	record = one of ten header layouts, payload
//
// The layouts are documented by their structures in the Windows SDK (EVENT_HEADER,
// EVENT_TRACE_HEADER, TRACE_LOGFILE_HEADER) and, for the buffers and the kernel
// logger's short headers, by Geoff Chappell's "Studies"
// (geoffchappell.com/studies/windows/km/ntoskrnl/api/etw); all that is used
// here was seen in real traces of Windows 7 to 11.
//
// [New] reads the header of each buffer into an index. [Reader.Next] merges the
// buffers of all CPUs by time, with one buffer per CPU in memory. A file that
// ends early or has damaged parts is read as far as it goes; [Reader.Err] then
// says what is missing. Every size in the file is hostile until it is checked.
package etl
