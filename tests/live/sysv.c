// sysv: System V memory, semaphores and messages; to be started in an ipc namespace of its own.
#include "live.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

struct message {
  long type;
  char text[64];
};

static void send(int queue, long type, const char* text) {
  struct message message = {.type = type};
  strcpy(message.text, text);
  must(msgsnd(queue, &message, strlen(text), 0));
}

int main(void) {
  int id = (int)must(shmget(0x51, 6 * PAGE, IPC_CREAT | 0640));
  char* p = shmat(id, NULL, 0);
  must((long)p);
  strcpy(p, "first page of a segment");
  strcpy(p + 5 * PAGE, "last page of a segment");
  must((long)shmat(id, NULL, SHM_RDONLY));  // the same, a second time
  must(shmget(IPC_PRIVATE, 100, IPC_CREAT | 0600));

  id = (int)must(semget(0x52, 5, IPC_CREAT | 0600));
  unsigned short values[] = {0, 1, 7, 32767, 3};
  must(semctl(id, 0, SETALL, values));
  id = (int)must(semget(0x53, 4, IPC_CREAT | 0600));  // 8 bytes of values: no padding
  must(semctl(id, 2, SETVAL, 9));

  id = (int)must(msgget(0x54, IPC_CREAT | 0600));
  send(id, 1, "first");
  send(id, 0x7fffffff, "a message of type 0x7fffffff");
  send(id, 3, "");
  must(msgget(0x55, IPC_CREAT | 0600));  // empty
  ready();
  sleep_forever();
}
