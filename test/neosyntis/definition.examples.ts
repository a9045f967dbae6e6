// biome-ignore-all lint/suspicious/noThenProperty: the specification's name; nothing awaits these objects.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: runtime expressions are strings.
/**
 * Examples of the Open Workflow Specification 1.0.3 (dsl-reference and its `examples/`) for the supported tasks, as
 * JSON. Where an example is started by an event, that part is left out; a `set` stands for what is only there to do something.
 */
const document = (name: string, list: unknown[]) => ({
  document: { dsl: '1.0.3', namespace: 'test', name, version: '0.1.0' },
  do: list,
});
const instead = { set: { done: true } };
const vitals = [
  {
    with: {
      type: 'com.fake-hospital.vitals.measurements.temperature',
      data: '${ .temperature > 38 }',
    },
  },
  { with: { type: 'com.fake-hospital.vitals.measurements.bpm', data: '${ .bpm < 60 or .bpm > 100 }' } },
];

export const examples: Record<string, unknown> = {
  set: document('set', [{ initialize: { set: { startEvent: '${ $workflow.input[0] }' } } }]),
  'set expression': document('set', [{ initialize: { set: '${ $workflow.input[0] }' } }]),
  'set shape and colour': document('set-example', [
    {
      setShape: {
        set: { shape: 'circle', size: '${ .configuration.size }', fill: '${ .configuration.fill }' },
      },
    },
    { setColor: { set: '${ .configuration.color }' } },
  ]),
  'wait inline': document('wait-duration-inline', [{ wait30Seconds: { wait: { seconds: 30 } } }]),
  'wait ISO 8601': document('wait-duration-8601', [{ wait30Seconds: { wait: 'PT30S' } }]),
  'run container': document('run-container-example', [
    { setInput: { set: { message: 'Hello World' } } },
    {
      runContainer: {
        input: { from: '${ .message }' },
        run: {
          container: {
            image: 'alpine',
            stdin: '${ . }',
            command: 'input=$(cat)\necho "STDIN was: $input"\necho "ARGS are $1 $2"\n',
            arguments: ['Foo', 'Bar'],
            pullPolicy: 'always',
          },
        },
      },
    },
    {
      later: {
        run: {
          container: { image: 'fake-image', lifetime: { cleanup: 'eventually', after: { minutes: 30 } } },
          return: 'stderr',
        },
      },
    },
  ]),
  'run shell': document('run-shell-with-stdin-and-arguments', [
    { setInput: { set: { message: 'Hello World' } } },
    {
      runShell: {
        input: { from: '${ .message }' },
        run: {
          shell: {
            stdin: '${ . }',
            command: 'input=$(cat)\necho "STDIN was: $input"\necho "ARGS are $1 $2"\n',
            arguments: ['Foo', 'Bar'],
          },
        },
      },
    },
  ]),
  'run shell with shell syntax': document('run-example', [
    { runShell: { run: { shell: { command: 'echo "Hello, ${ .user.name }"' } } } },
  ]),
  'run script': document('run-script-with-stdin-and-arguments', [
    {
      runScript: {
        run: {
          script: {
            language: 'js',
            stdin: 'Hello Workflow',
            environment: { foo: 'bar' },
            arguments: ['hello'],
            code: "import { readFileSync } from 'node:fs';\nconsole.log('env > ', process.env.foo)\n",
          },
        },
      },
    },
  ]),
  'for over an inline list': document('for-inline-array-example', [
    {
      logColors: {
        for: {
          each: 'color',
          in: [
            { name: 'red', hex: '#FF0000' },
            { name: 'green', hex: '#00FF00' },
          ],
        },
        do: [{ setProcessed: { set: { processed: '${ .processed + [$color] }' } } }],
      },
    },
  ]),
  'for over an expression': document('for-example', [
    {
      checkup: {
        for: { each: 'pet', in: '.pets', at: 'index' },
        while: '.vet != null',
        do: [{ waitForCheckup: { ...instead, output: { as: '.pets + [{ "id": $pet.id }]' } } }],
      },
    },
  ]),
  fork: document('fork-example', [
    {
      raiseAlarm: {
        fork: {
          compete: false,
          branches: [
            { callNurse: { set: { patientId: '${ .patient.fullName }', room: '${ .room.number }' } } },
            { callDoctor: { set: { patientId: '${ .patient.fullName }', room: '${ .room.number }' } } },
          ],
        },
      },
    },
  ]),
  switch: document('sample-workflow', [
    {
      processOrder: {
        switch: [
          { case1: { when: '.orderType == "electronic"', then: 'processElectronicOrder' } },
          { case2: { when: '.orderType == "physical"', then: 'processPhysicalOrder' } },
          { default: { then: 'handleUnknownOrderType' } },
        ],
      },
    },
    { processElectronicOrder: { set: { validate: true, status: 'fulfilled' }, then: 'exit' } },
    { processPhysicalOrder: { do: [{ checkInventory: instead }, { packItems: instead }], then: 'exit' } },
    { handleUnknownOrderType: { set: { log: 'warn', message: "something's wrong" } } },
  ]),
  'a condition and an end': document('conditional-task', [
    { raiseErrorIfUnderage: { if: '.customer.age < 18', ...instead, then: 'end' } },
    { placeBet: instead },
  ]),
  'export of the output into the context': document('export', [
    { one: { ...instead, export: { as: '$context+.' } } },
    {
      two: {
        ...instead,
        export: { as: { homeworld: '${ .content.homeworld }' } },
        output: { as: { petId: '${ .pet.id }' } },
      },
    },
  ]),
  'call http with a URI template': document('call-http-shorthand-endpoint', [
    {
      getPet: {
        call: 'http',
        with: { method: 'get', endpoint: 'https://petstore.swagger.io/v2/pet/{petId}' },
      },
    },
  ]),
  'call http with an expression': document('call-http-shorthand-endpoint', [
    {
      getPet: {
        call: 'http',
        with: {
          headers: { 'content-type': 'application/json' },
          method: 'get',
          endpoint: '${ "https://petstore.swagger.io/v2/pet/\\(.petId)" }',
        },
      },
    },
  ]),
  'call http with query and headers of expressions': document('http-query-headers-expressions', [
    {
      setQueryAndHeaders: {
        set: { query: { search: '${.searchQuery}' }, headers: { Accept: 'application/json' } },
      },
    },
    {
      searchStarWarsCharacters: {
        call: 'http',
        with: {
          method: 'get',
          endpoint: 'https://swapi.dev/api/people/',
          headers: '${.headers}',
          query: '${.query}',
        },
      },
    },
  ]),
  'call http with redirects': document('http-query-params', [
    {
      searchStarWarsCharacters: {
        call: 'http',
        with: {
          method: 'get',
          endpoint: 'https://swapi.dev/api/people/',
          query: { search: '${.searchQuery}' },
          redirect: true,
        },
      },
    },
  ]),
  'call http with basic authentication': document('http-call-with-basic-auth', [
    {
      login: {
        call: 'http',
        with: {
          method: 'get',
          endpoint: {
            uri: 'https://httpbin.org/basic-auth/{username}/{password}',
            authentication: { basic: { username: '${ .username }', password: '${ .password }' } },
          },
        },
      },
    },
  ]),
  'call http with a bearer': document('bearer-authentication-example', [
    {
      sampleTask: {
        call: 'http',
        with: {
          method: 'get',
          endpoint: {
            uri: 'https://secured.fake.com/sample',
            authentication: { bearer: { token: '${ .user.token }' } },
          },
        },
      },
    },
  ]),
  'an authentication by its name': {
    ...document('authentication-example', [
      {
        sampleTask: {
          call: 'http',
          with: {
            method: 'get',
            endpoint: {
              uri: 'https://secured.fake.com/sample',
              authentication: { use: 'sampleBasicFromSecret' },
            },
          },
        },
      },
    ]),
    use: {
      secrets: ['usernamePasswordSecret'],
      authentications: { sampleBasicFromSecret: { basic: { use: 'usernamePasswordSecret' } } },
    },
  },
  'call http with oauth2': document('oauth2-authentication-example', [
    {
      sampleTask: {
        call: 'http',
        with: {
          method: 'get',
          endpoint: {
            uri: 'https://secured.fake.com/sample',
            authentication: {
              oauth2: {
                authority: 'http://keycloak/realms/fake-authority',
                endpoints: { token: '/oauth2/token' },
                grant: 'client_credentials',
                client: { id: 'workflow-runtime', secret: '**********' },
                scopes: ['api'],
                audiences: ['runtime'],
              },
            },
          },
        },
      },
    },
  ]),
  'call openapi': document('openapi-example', [
    {
      findPet: {
        call: 'openapi',
        with: {
          document: { endpoint: 'https://petstore.swagger.io/v2/swagger.json' },
          operationId: 'findPetsByStatus',
          parameters: { status: 'available' },
        },
      },
    },
  ]),
  'try with a retry': document('try-example', [
    {
      trySomething: {
        try: [{ invalidCall: instead }],
        catch: {
          errors: {
            with: {
              type: 'https://open-workflow-specification.org/dsl/errors/types/communication',
              status: 503,
            },
          },
          as: 'error',
          retry: { delay: { seconds: 3 }, backoff: { exponential: {} }, limit: { attempt: { count: 5 } } },
        },
      },
    },
  ]),
  raise: document('raise-example', [
    {
      raiseUndefinedPriorityError: {
        raise: {
          error: {
            type: 'https://fake.com/errors/tickets/undefined-priority',
            status: 400,
            instance: '/raiseUndefinedPriorityError',
            title: 'Undefined Priority',
          },
        },
      },
    },
  ]),
  'a race': document('fork-example', [
    { raiseAlarm: { fork: { compete: true, branches: [{ callNurse: instead }, { callDoctor: instead }] } } },
  ]),
  'a timeout of the whole': {
    ...document('timeout-example', [{ waitAMinute: { wait: { seconds: 60 } } }]),
    timeout: { after: { seconds: 30 } },
  },
  emit: document('emit-example', [
    {
      emitEvent: {
        emit: {
          event: {
            with: {
              source: 'https://petstore.com',
              type: 'com.petstore.order.placed.v1',
              data: {
                client: { firstName: 'Cruella', lastName: 'de Vil' },
                items: [{ breed: 'dalmatian', quantity: 101 }],
              },
            },
          },
        },
      },
    },
  ]),
  'emit with an expression': document('emit', [
    {
      emitEvent: {
        emit: {
          event: {
            with: {
              source: 'https://fake-source.com',
              type: 'com.fake-source.user.greeted.v1',
              data: { greetings: '${ "Hello \\(.user.firstName) \\(.user.lastName)!" }' },
            },
          },
        },
      },
    },
  ]),
  'listen to one': document('listen-to-one', [
    {
      waitForStartup: {
        listen: { to: { one: { with: { type: 'com.virtual-wf-powered-race.events.race.started.v1' } } } },
      },
    },
  ]),
  'listen to any': document('listen-to-any', [{ callDoctor: { listen: { to: { any: [] } } } }]),
  'listen to any by a filter': document('listen-to-any-filter', [
    { callDoctor: { listen: { to: { any: vitals } } } },
  ]),
  'listen to all, envelopes': document('listen-to-all', [
    { callDoctor: { listen: { to: { all: vitals }, read: 'envelope' } } },
  ]),
  'listen to any until a condition': document('listen-to-any', [
    { callDoctor: { listen: { to: { any: [], until: '( . | length ) > 3' } } } },
  ]),
  'listen to any until an event': document('listen-to-any', [
    {
      callDoctor: {
        listen: {
          to: { any: vitals, until: { one: { with: { type: 'com.fake-hospital.patient.checked-out' } } } },
        },
      },
    },
  ]),
  'listen for ever, one after another': document('listen-to-any-while-foreach', [
    {
      listenToGossips: {
        listen: { to: { any: [], until: '${ false }' } },
        foreach: {
          item: 'event',
          at: 'i',
          do: [
            {
              postToChatApi: {
                call: 'http',
                with: {
                  method: 'post',
                  endpoint: 'https://fake-chat-api.com/room/{roomId}',
                  body: { event: '${ $event }' },
                },
              },
            },
          ],
        },
      },
    },
  ]),
  'listen to what belongs together': document('accumulate-room-readings', [
    {
      consumeReading: {
        listen: {
          to: {
            all: ['temperature', 'humidity'].map((what) => ({
              with: { source: 'https://my.home.com/sensor', type: `my.home.sensors.${what}` },
              correlate: { roomId: { from: '.roomid' } },
            })),
          },
        },
        output: { as: '.data.reading' },
      },
    },
  ]),
};
