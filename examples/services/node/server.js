// A stand-in for yours: what it does with file descriptor 3 and with signals is what a service needs.
'use strict';
const fs = require('fs');
const http = require('http');

let greeting;
const configure = () => { greeting = fs.readFileSync('env/GREETING', 'utf8'); };
configure();

const server = http.createServer((request, response) => {
	console.log(`info: ${request.method} ${request.url}`);
	response.end(greeting);
});
server.listen(process.env.PORT, process.env.HOST, () => {
	fs.writeSync(3, '\n'); // ready, as notification-fd says
	fs.closeSync(3);
});
process.on('SIGHUP', () => { configure(); console.log('notice: reloaded'); });
process.on('SIGTERM', () => {
	server.close();
	server.closeIdleConnections?.();
});
