-- No network: what another machine answers is not a function of the arguments.
SELECT
    occurrence_id,
    'uses ' || array_to_string(used, ', ') AS reason
FROM (
    SELECT
        occurrence_id,
        list_sort(list_intersect(
            list_distinct(list_concat(list_transform(imports, lambda m: split_part(m, '.', 1)), undefined_names)),
            [
                'aiohttp', 'boto', 'boto3', 'botocore', 'ftplib', 'grpc', 'http', 'httplib', 'httplib2', 'httpx',
                'imaplib', 'nntplib', 'paramiko', 'poplib', 'pycurl', 'requests', 'scapy', 'select', 'selectors',
                'selenium', 'smtplib', 'socket', 'socketserver', 'ssl', 'telnetlib', 'tornado', 'twisted', 'urllib',
                'urllib2', 'urllib3', 'websocket', 'websockets', 'xmlrpc', 'zmq'
            ]
        )) AS used
    FROM candidates
)
WHERE len(used) > 0
